// The plots of a model card, by name.

import { drawConfusion } from "./plots/confusion.js";
import { drawHidden } from "./plots/hidden.js";
import { drawMistakes } from "./plots/mistakes.js";
import { drawRefusal } from "./plots/refusal.js";
import { drawReliability } from "./plots/reliability.js";
import { drawTraining } from "./plots/training.js";

export const PLOTS = {
  training: drawTraining,
  confusion: drawConfusion,
  reliability: drawReliability,
  refusal: drawRefusal,
  hidden: drawHidden,
  mistakes: drawMistakes,
};
