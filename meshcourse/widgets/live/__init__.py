"""Views that stay alive in JupyterLab: controls and a picture, redrawn while somebody looks at them.

Belongs here: the widget (`view`, with its JavaScript), what it is filled with (`traffic`, `watching`), and the work in
the background (`background`). What is asked comes in as functions from outside; the browser's side only draws what it
is told and reports what was pressed. Nothing runs before a browser has said that it shows the view, so that a headless
run is never held up; everything ends when the view is closed or the kernel is interrupted.
"""
