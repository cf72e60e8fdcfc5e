// Sizes that several pages use.

export const SIDE = 280; // units across the sketchpad; strokes are stored in them, whatever the size on the screen
export const PEN = 18; // units: the usual stroke width; a point's own width is relative to it
export const SIZE = 28; // px: width and height of the network's input
export const NOT_A_DIGIT = 10; // index of the eleventh logit
export const DIGITS = [...Array(10).keys()];

export const N_PIXELS = SIZE * SIZE;
