// Sets the choices' names into their circles: broken between words, as large as they fit, and where possible all alike.

export interface FittedText {
  readonly lines: readonly string[];
  /** px */
  readonly fontSize: number;
}

const LARGEST = 22;
const SMALLEST = 7;
const LINE_HEIGHT = 1.15;
/** Names are not made smaller than this for the sake of a longer one beside them. */
const READABLE = 12;
const SHORTEST_PART = 5;
/** Part of the circle's radius that text may fill; the rest is margin. */
const FILLED = 0.9;
/** Part of the circle's height that text may fill; below it stands the key. */
const FILLED_HEIGHT = 0.62;

/**
 * Fit names into circles of this diameter, in one size so that none stands out; only a name too long for a readable size
 * has its long words divided or, if that does not help, is set smaller than the others. `width` measures a text set in
 * 1 px type.
 */
export function fitTexts(names: readonly string[], diameter: number, width: (text: string) => number): FittedText[] {
  const alone = names.map((name) => fitName(name, LARGEST, diameter, width));
  const common = Math.max(READABLE, Math.min(...alone.map((fitted) => fitted.fontSize)));
  return names.map((name) => fitName(name, common, diameter, width));
}

function fitName(name: string, largest: number, diameter: number, width: (text: string) => number): FittedText {
  const whole = largestFitting(lineBreaks(name), largest, diameter, width);
  if (whole.fontSize >= READABLE) {
    return whole;
  }
  const divided = largestFitting(dividedLineBreaks(name), READABLE, diameter, width);
  return divided.fontSize > whole.fontSize ? divided : whole;
}

function largestFitting(
  candidates: readonly string[][],
  largest: number,
  diameter: number,
  width: (text: string) => number,
): FittedText {
  for (let fontSize = largest; fontSize > SMALLEST; fontSize -= 0.5) {
    const fitting = candidates.find((lines) => fits(lines, fontSize, diameter, width));
    if (fitting !== undefined) {
      return { lines: fitting, fontSize };
    }
  }
  return { lines: candidates.at(-1) ?? [], fontSize: SMALLEST };
}

/** Ways to break a name between words, the fewest lines first: no line longer than 1, 2, 3 … characters where possible. */
function lineBreaks(name: string): string[][] {
  const words = name.split(/\s+/).filter(Boolean);
  const ways = Array.from({ length: name.length }, (_, i) => wrapped(words, i + 1));
  return ways.reverse();
}

/** The same with words of more than 5, 6, 7 … letters divided into equal parts. */
function dividedLineBreaks(name: string): string[][] {
  const words = name.split(/\s+/).filter(Boolean);
  const longest = Math.max(SHORTEST_PART, ...words.map((word) => word.length));
  const limits = Array.from({ length: longest - SHORTEST_PART + 1 }, (_, i) => longest - i);
  return limits.map((limit) =>
    wrapped(
      words.flatMap((word) => divided(word, limit)),
      limit + 1,
    ),
  );
}

function divided(word: string, limit: number): string[] {
  const n = Math.ceil(word.length / limit);
  const size = Math.ceil(word.length / n);
  const parts = Array.from({ length: n }, (_, i) => word.slice(i * size, (i + 1) * size));
  return parts.map((part, i) => (i < n - 1 ? `${part}-` : part));
}

function wrapped(words: readonly string[], longest: number): string[] {
  const lines: string[] = [];
  for (const word of words) {
    const joined = `${lines.at(-1)} ${word}`;
    if (lines.length > 0 && joined.length <= longest) {
      lines[lines.length - 1] = joined;
    } else {
      lines.push(word);
    }
  }
  return lines;
}

function fits(lines: readonly string[], fontSize: number, diameter: number, width: (text: string) => number): boolean {
  const radius = (FILLED * diameter) / 2;
  const lineHeight = LINE_HEIGHT * fontSize;
  const height = lines.length * lineHeight;
  return (
    height <= FILLED_HEIGHT * diameter &&
    lines.every((line, i) => {
      const top = -height / 2 + i * lineHeight;
      const farthest = Math.max(Math.abs(top), Math.abs(top + lineHeight));
      return farthest < radius && width(line) * fontSize <= 2 * Math.sqrt(radius ** 2 - farthest ** 2);
    })
  );
}
