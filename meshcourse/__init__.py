"""Learn the Istio service mesh in Jupyter, on real Envoys."""
