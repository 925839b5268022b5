"""A window, by tkinter and Pillow: the OpenCV this library comes with has none."""

from typing import Any

import numpy as np
from PIL import Image

from edn_core.compose import on_chequers

TITLE = "edn live: synthetic (q to stop)"
LARGEST_SCALE = 8
LARGEST_PART = 0.8  # of the screen's height


class Window:
    """Shows pictures until somebody presses q or closes it."""

    def __init__(self) -> None:
        """Open it.

        Raises ValueError: no display, or a Python without tkinter.
        """
        try:
            import tkinter

            from PIL import ImageTk
        except ImportError as error:
            raise ValueError(
                f"no window: this Python has no tkinter ({error}); install it (Debian, Ubuntu: "
                "python3-tk), or write a file with --to FILE.mp4"
            ) from error
        try:
            self._root = tkinter.Tk()
        except tkinter.TclError as error:
            raise ValueError(
                f"no window: {error}; run it where there is a display, or write a file with "
                "--to FILE.mp4"
            ) from error
        self.is_closed = False
        self._make_photo = ImageTk.PhotoImage
        self._photo: Any = None
        self._label = tkinter.Label(self._root, borderwidth=0)
        self._label.pack()
        self._root.title(TITLE)
        self._root.bind("q", lambda _: self.close())
        self._root.bind("<Escape>", lambda _: self.close())
        self._root.protocol("WM_DELETE_WINDOW", self.close)

    def show(self, image: np.ndarray) -> None:
        """Show (H, W, 3 or 4) uint8, enlarged by a whole number to half of the screen's height.

        A larger one is made to fit, a transparent one lies on grey squares.
        """
        if self.is_closed:
            return
        screen = self._root.winfo_screenheight()
        scale: float = max(1, min(LARGEST_SCALE, screen // 2 // len(image)))
        scale = min(scale, LARGEST_PART * screen / len(image))
        picture = Image.fromarray(on_chequers(image))
        if scale != 1:
            size = round(scale * picture.width), round(scale * picture.height)
            picture = picture.resize(size, Image.Resampling.BILINEAR)
        self._photo = self._make_photo(picture)  # tkinter itself keeps no reference
        self._label.configure(image=self._photo)
        self.look()

    def look(self) -> bool:
        """Let the window work; whether it was closed."""
        if not self.is_closed:
            self._root.update()
        return self.is_closed

    def close(self) -> None:
        """Close it."""
        if not self.is_closed:
            self.is_closed = True
            self._root.destroy()
