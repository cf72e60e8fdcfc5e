// Texts that several parts of the training use.

import { figure } from "../../shared/numbers.js";

/**
 * Format a loss.
 * @param {number} loss
 */
export function lossText(loss) {
  return loss > 1e4 ? loss.toExponential(1) : figure(loss);
}

/**
 * Describe the settings of a training.
 * @param {any} settings
 */
export function wordsOf({ hidden_size: size, relu, lr }) {
  return `${size} hidden units ${relu ? "with" : "without"} ReLU, learning rate ${lr}`;
}

/**
 * Format a number of epochs.
 * @param {number} epoch
 */
export function epochsOf(epoch) {
  const text = Number.isInteger(epoch) ? `${epoch}` : epoch.toFixed(1);
  return `${text} ${text === "1" ? "epoch" : "epochs"}`;
}
