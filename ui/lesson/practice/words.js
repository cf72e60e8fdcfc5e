// Texts that several parts of "Train your own" use.

import { figure } from "../../shared/numbers.js";

/**
 * Format a loss.
 * @param {number} loss
 */
export function lossText(loss) {
  return loss > 1e4 ? loss.toExponential(1) : figure(loss);
}

/**
 * Format a number of epochs.
 * @param {number} epoch
 */
export function epochNumber(epoch) {
  return Number.isInteger(epoch) ? `${epoch}` : epoch.toFixed(1);
}

/**
 * Format a number of epochs with its unit.
 * @param {number} epoch
 */
export function epochsText(epoch) {
  return `${epochNumber(epoch)} ${epoch === 1 ? "epoch" : "epochs"}`;
}
