// Decode a reading and the fixed parts of the lesson.

import { N_PIXELS } from "../shared/constants.js";
import { bytes } from "../shared/pixels.js";

/** @typedef {import("../shared/types").LessonReading} LessonReading */
/** @typedef {import("../shared/types").Numbers} Numbers */

/**
 * Decode float32 numbers from base64.
 * @param {string} text
 */
export function floats(text) {
  return new Float32Array(bytes(text).buffer);
}

/**
 * Return the rows of a matrix of 784 columns.
 * @param {{ weight: string }} layer
 */
export function rowsOf({ weight }) {
  const all = floats(weight);
  return Array.from({ length: all.length / N_PIXELS }, (_, i) =>
    all.subarray(i * N_PIXELS, (i + 1) * N_PIXELS),
  );
}

const inputsOf = new WeakMap();
/**
 * Return what the network sees as numbers; they are decoded once for all pictures.
 * @param {LessonReading} reading
 * @returns {Float32Array}
 */
export function inputOf(reading) {
  if (!inputsOf.has(reading)) inputsOf.set(reading, floats(reading.input));
  return inputsOf.get(reading);
}

/**
 * Return what the network sees as bytes in base64.
 * @param {Pick<LessonReading, "stages">} reading
 */
export function seenOf({ stages }) {
  return stages.at(-1).pixels;
}

/**
 * Return whether nothing is drawn.
 * @param {Pick<LessonReading, "verdict">} reading
 */
export function isBlank({ verdict }) {
  return verdict === "blank";
}

/**
 * Return the largest absolute value.
 * @param {Numbers} numbers
 * @returns {number}
 */
export function largest(numbers) {
  return numbers.reduce((most, number) => Math.max(most, Math.abs(number)), 0);
}

/**
 * Return the index of the largest number.
 * @param {number[]} numbers
 */
export function indexOfMost(numbers) {
  return numbers.reduce((best, number, i) => (number > numbers[best] ? i : best), 0);
}

/**
 * Return the probabilities of logits.
 * @param {number[]} logits
 * @param {number} temperature
 */
export function softmax(logits, temperature) {
  const most = Math.max(...logits);
  const powers = logits.map((logit) => Math.exp((logit - most) / temperature));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return powers.map((power) => power / total);
}
