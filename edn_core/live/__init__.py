"""Live: a camera or a video in, the target dancing in a window or a file out, while it happens.

As fast as the machine allows: of what arrives while a frame is worked on, all but the newest is
dropped, so that the output never lags behind by more than the work on one frame takes.
"""
