// The pictures of the lesson, by the name that its text gives them.

import { practicePicture } from "./practice/practice.js";
import { pixelsPicture } from "./pictures/pixels.js";
import { examplesPicture } from "./pictures/examples.js";
import { splitPicture } from "./pictures/split.js";
import { templatesPicture } from "./pictures/templates.js";
import { confusionsPicture } from "./pictures/confusions.js";
import { flattenPicture } from "./pictures/flatten.js";
import { unitPicture } from "./pictures/unit.js";
import { reluPicture } from "./pictures/relu.js";
import { collapsePicture } from "./pictures/collapse.js";
import { secondPicture } from "./pictures/second.js";
import { softmaxPicture } from "./pictures/softmax.js";
import { lossPicture } from "./pictures/loss.js";
import { sizesPicture } from "./pictures/sizes.js";
import { framingPicture } from "./pictures/framing.js";
import { samplesPicture } from "./pictures/samples.js";
import { waysPicture } from "./pictures/ways.js";

/**
 * Each function fills an element with a picture. Its arguments are the element, the fixed parts of
 * the lesson and the component's server functions. It returns a function that shows a reading, or
 * nothing if the picture does not depend on the drawing.
 */
export const PICTURES = {
  pixels: pixelsPicture,
  examples: examplesPicture,
  split: splitPicture,
  templates: templatesPicture,
  confusions: confusionsPicture,
  flatten: flattenPicture,
  unit: unitPicture,
  relu: reluPicture,
  collapse: collapsePicture,
  second: secondPicture,
  softmax: softmaxPicture,
  loss: lossPicture,
  sizes: sizesPicture,
  framing: framingPicture,
  samples: samplesPicture,
  ways: waysPicture,
  practice: practicePicture,
};
