// A drawing in a link: base64url of whole numbers, the points' differences in tenths of a unit.

function encode(strokes) {
  const out = [];
  const put = (value) => {
    let rest = value;
    for (; rest > 127; rest = Math.floor(rest / 128)) out.push((rest % 128) + 128);
    out.push(rest);
  };
  const putSigned = (value) => put(value < 0 ? -2 * value - 1 : 2 * value);
  for (const stroke of strokes) {
    const wide = stroke.some((point) => point.length > 2);
    put(2 * stroke.length + (wide ? 1 : 0));
    let last = [0, 0];
    for (const point of stroke) {
      const next = [Math.round(10 * point[0]), Math.round(10 * point[1])];
      putSigned(next[0] - last[0]);
      putSigned(next[1] - last[1]);
      if (wide) put(Math.round(8 * (point[2] ?? 1)));
      last = next;
    }
  }
  const text = btoa(out.map((byte) => String.fromCharCode(byte)).join(""));
  return text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

// Take the drawing out of the address, whatever else it holds.
function dropLink() {
  history.replaceState(null, "", location.pathname + location.search);
}

// Gives null for what `encode` has not made: a link may be cut off where it was pasted.
function decode(text) {
  let at = 0;
  let data;
  try {
    data = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  } catch {
    return null;
  }
  const take = () => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      if (at >= data.length || factor > 2 ** 28) throw new RangeError("cut off");
      const byte = data.charCodeAt(at);
      at += 1;
      value += (byte % 128) * factor;
      if (byte < 128) return value;
    }
  };
  const takeSigned = () => {
    const value = take();
    return value % 2 ? -(value + 1) / 2 : value / 2;
  };
  const strokes = [];
  try {
    while (at < data.length) {
      const head = take();
      const stroke = [];
      let [x, y] = [0, 0];
      for (let left = Math.floor(head / 2); left > 0; left -= 1) {
        x += takeSigned();
        y += takeSigned();
        stroke.push(head % 2 ? [x / 10, y / 10, take() / 8] : [x / 10, y / 10]);
      }
      if (stroke.length) strokes.push(stroke);
    }
  } catch {
    return null;
  }
  return strokes;
}
