"""All animals of the zoo, by name."""

from zoo_clocks import CLOCKS
from zoo_looks import LOOKS
from zoo_sounds import SOUNDS
from zoo_wounds import WOUNDS

ANIMALS = CLOCKS | LOOKS | SOUNDS | WOUNDS
