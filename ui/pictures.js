// The pictures of the lesson. Each takes the element that it fills and what does not depend on the
// drawing, and gives a function that draws a reading.

const PICTURES = {};
