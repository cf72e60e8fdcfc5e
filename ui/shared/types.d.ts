// Types that several modules use. The server side is ui/message.py and ui/lesson/lesson.py.

/** x and y in units of the sketchpad, and the relative stroke width if it is not 1. */
export type Point = [number, number, number?];
export type Stroke = Point[];

/** A picture on the sketchpad. `width` is the width of the original, in px. */
export interface SketchPicture {
  url: string;
  image: HTMLCanvasElement;
  width?: number;
}

/** What is on the sketchpad: strokes or a picture. `example` marks the lesson's own drawing. */
export interface Ink {
  strokes: Stroke[];
  picture: SketchPicture | null;
  example?: boolean;
}

/** 28 × 28 numbers: int8 levels in base64, of which 127 stands for `scale`. */
export interface Levels {
  levels?: string;
  scale: number;
}

/** The logits whose sums are shown; null stands for the answer and for the runner-up. */
export interface Explained {
  chosen: number | null;
  against: number | null;
}

export type Verdict = "digit" | "not_a_digit" | "blank";

/** The terms of a logit, or of the difference of two logits. */
export interface Account {
  total: number;
  units: [unit: number, activation: number, weight: number, other: number][];
  rest: { count: { for: number; against: number }; sum: { for: number; against: number } };
  bias: number;
  template: Levels;
  product: Levels;
  sum: { for: number; against: number; bias: number; total: number };
  strokes: number[] | null;
}

/** What one model reads. The optional fields are parts that a request can leave out. */
export interface Reading {
  model: string;
  verdict: Verdict;
  digit: number | null;
  confidence: number;
  not_a_digit: number;
  probabilities: number[] | null;
  logits: number[];
  hidden_sizes: number[];
  temperature: number;
  seen: string;
  frame: {
    box: [number, number, number, number];
    centre: [number, number];
    shift: [number, number];
    centred: boolean;
    scale: number;
    pen: boolean;
    removed: { kind: string; box: [number, number, number, number] }[];
  } | null;
  /** The logit that is explained, and the one that it is compared with. */
  chosen: number;
  against: number;
  layers?: { levels: string; units: number; active: number }[];
  /** The units that are shown as pictures, and what each adds: -127 to 127. */
  tiles?: [unit: number, added: number][];
  /** What each unit adds to the chosen logit. */
  added?: Levels | null;
  /** One unit in full; null if there are no hidden units. */
  unit?: Unit | null;
  why?: { logit: Account; difference: Account };
}

/** One hidden unit in full. */
export interface Unit {
  layer: number;
  unit: number;
  /** The unit of the last hidden layer that adds most to the chosen logit. */
  strongest: number;
  weights: Levels;
  product: Levels;
  sum: Account["sum"];
  activation: number;
  outgoing: number[];
}

/** A request of the sketchpad for readings. */
export interface ReadRequest extends Explained {
  models: string[];
  strokes: Stroke[] | null;
  picture?: string;
  /** The requested parts of the readings; all if left out. */
  parts?: string[];
  /** For each model, the unit to explain; null stands for the strongest. */
  units: ({ layer: number; unit: number } | null)[];
}

/** A reading as the lesson shows it, with every tensor on the way. */
export interface LessonReading {
  verdict: Verdict;
  digit: number | null;
  confidence: number;
  probabilities: number[];
  logits: number[];
  input: string;
  pre_activations: number[];
  activations: number[];
  logistic: { logits: number[] };
  without_relu: Record<string, any>;
  stages: { pixels: string; digit: number; confidence: number }[];
  outputs: Record<string, string>;
  label: number;
  loss: number;
}

/** The event details by event name; each is a CustomEvent on the document. */
export interface Events {
  /** The newest drawing was read. The lesson's readings are in `lesson`. */
  reading: { readings: Reading[]; request: ReadRequest; lesson?: LessonReading };
  /** The drawing or the models have changed. */
  ink: { ink: Ink; models: string[]; explained: Explained };
  /** Put other ink on the sketchpad, stroke by stroke if `replay`. */
  load: { ink: Ink; replay?: boolean };
  /** Tell the visitor something below the sketchpad. */
  notice: string;
  /** Explain another logit. */
  explain: Partial<Explained>;
  /** Inspect a unit of the model in column `place`, or none. */
  inspect: { place: number; layer?: number; unit: number | null; hold?: boolean };
  /** A unit is inspected; `own` if the visitor picked it; `says` describes it in one line. */
  inspected: { place: number; layer?: number; unit?: number; own: boolean; says?: string };
  /** The sketchpad was cleared. */
  cleared: undefined;
  /** A component has started and wants the current ink and reading. */
  joined: undefined;
}

/** The functions of the server that a component may call. */
export type Server = Record<string, (request: unknown) => Promise<any>>;

/**
 * Start a component in its element. The element is `any` because its parts are inputs, canvases
 * and more, found by selectors. `props` are those of the server side's component().
 */
export type Start = (element: any, props: Record<string, any>, server: Server) => void;

/** What number[] and Float32Array have in common. */
export interface Numbers extends ArrayLike<number> {
  reduce(combine: (result: number, number: number, i: number) => number, start: number): number;
}

/** A line of a chart. */
export interface Line {
  name: string;
  values?: (number | null)[];
  colour?: string;
  dash?: string;
}

export interface Axes {
  /** px */
  width: number;
  /** px */
  height: number;
  x: number[];
  y: number[];
  /** Whether y is logarithmic. */
  log?: boolean;
  /** The title of the y axis. */
  label: string;
  /** Format a y. */
  unit?: (value: number) => string;
  /** The title of the x axis. */
  below: string;
  /** The marks along x. */
  at?: number[];
  /** Format an x. */
  named?: (value: number) => string;
}

/**
 * Fill an element with a picture of the lesson. `fixed` is the part of the lesson that does not
 * depend on the drawing. The function returned shows a reading.
 */
export type Picture = (
  box: HTMLElement,
  fixed: any,
  server?: Server,
) => ((reading: LessonReading) => void) | null | void;

/** A misread test image. */
export interface Mistake {
  index: number;
  label: number;
  digit: number;
  confidence: number;
  pixels: string;
}

/** Fill an element with a plot of a model card. */
export type Plot = (
  box: HTMLElement,
  figures: any,
  context: { mistakes: Mistake[]; linkTo: (mistake: Mistake) => string },
) => void;

/** The state of the sketchpad, with what the modules that draw on it may do. */
export interface Pad {
  /** Never changed in place, except for the stroke that is being drawn. */
  ink: Ink;
  /** What Undo brings back, the newest last. */
  past: Ink[];
  /** The id of the pointer that draws, or what else draws. */
  drawing: number | "keys" | "replay" | null;
  /** When the newest stroke ended, in ms of performance.now(). */
  ended: number;
  /** The strokes of an example while they are drawn one after the other. */
  replaying: Stroke[] | null;
  /** x and y of the keyboard's pen. */
  cursor: [number, number] | null;
  /** The ink's bounding box and centre of mass, of the newest reading. */
  frame: Reading["frame"];
  begin(who: Pad["drawing"], first: Point): void;
  add(next: Point): void;
  endStroke(): void;
  update(): void;
  replace(next: Ink): void;
  wipe(): void;
  paint(): void;
  paintOver(): void;
  /** Return a point of the pen; its width is left out if it is 1. */
  point(x: number, y: number, pressure?: number): Point;
}
