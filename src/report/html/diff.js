// What two texts and two lists of cards have in common.

// Pairs of like items in order: [index in a, index in b]; -1 where the other side has none.
const aligned = (a, b, same) => {
  let head = 0;
  while (head < a.length && head < b.length && same(a[head], b[head])) head += 1;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && same(a[a.length - 1 - tail], b[b.length - 1 - tail])) tail += 1;
  const n = a.length - head - tail;
  const m = b.length - head - tail;
  const rows = [];
  for (let i = 0; i < head; i += 1) rows.push([i, i]);
  if (n * m > 4000000) {
    for (let i = 0; i < n; i += 1) rows.push([head + i, -1]);
    for (let j = 0; j < m; j += 1) rows.push([-1, head + j]);
  } else if (n || m) {
    // Lengths of the longest common subsequences of the rests.
    const width = m + 1;
    const long = new Uint16Array((n + 1) * width);
    for (let i = n - 1; i >= 0; i -= 1) {
      for (let j = m - 1; j >= 0; j -= 1) {
        long[i * width + j] = same(a[head + i], b[head + j]) ? long[(i + 1) * width + j + 1] + 1
          : Math.max(long[(i + 1) * width + j], long[i * width + j + 1]);
      }
    }
    let i = 0;
    let j = 0;
    while (i < n || j < m) {
      if (i < n && j < m && same(a[head + i], b[head + j])) {
        rows.push([head + i, head + j]);
        i += 1;
        j += 1;
      } else if (j >= m || (i < n && long[(i + 1) * width + j] >= long[i * width + j + 1])) {
        rows.push([head + i, -1]);
        i += 1;
      } else {
        rows.push([-1, head + j]);
        j += 1;
      }
    }
  }
  for (let k = 0; k < tail; k += 1) rows.push([a.length - tail + k, b.length - tail + k]);
  return rows;
};

// Both texts in pieces, each with whether the other side lacks it.
const compared = (left, right) => {
  const words = (text) => text.match(/\s+|[\p{L}\p{N}_]+|[^\s\p{L}\p{N}_]/gu) || [];
  const [a, b] = [words(left), words(right)];
  const sides = [[], []];
  const add = (side, text, only) => {
    const last = sides[side][sides[side].length - 1];
    if (last && last[1] === only) last[0] += text;
    else sides[side].push([text, only]);
  };
  for (const [i, j] of aligned(a, b, (x, y) => x === y)) {
    if (i >= 0) add(0, a[i], j < 0);
    if (j >= 0) add(1, b[j], i < 0);
  }
  return sides;
};
