"""One file per command of istioctl. Each has ``add(commands)``, which registers its parser with a ``run`` default."""
