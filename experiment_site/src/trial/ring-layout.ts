// Lays out the field: the stimulus in the centre, the choices on a ring around it. Pure geometry; lengths in CSS px, the
// origin at the field's top left corner, y downwards.

export interface RingLayout {
  /** Side of the square field. */
  readonly field: number;
  /** Side of the square that the stimulus fits into. */
  readonly stimulus: number;
  /** Diameter of a choice. */
  readonly choice: number;
  /** Centres of the choices, in their order. */
  readonly centres: readonly { readonly x: number; readonly y: number }[];
}

/** Free space between a choice and whatever is next to it. */
const GAP = 6;
/** A smaller choice cannot hold a readable name; the stimulus shrinks until there is room. */
const LEGIBLE_CHOICE = 64;
const LARGEST_STIMULUS = 0.7;
const SMALLEST_STIMULUS = 0.25;

/** Side of the largest square field in a window. */
export function fieldSize(windowWidth: number, windowHeight: number): number {
  return Math.floor(Math.min(0.95 * windowWidth, 0.9 * windowHeight));
}

/** Angles of n choices, clockwise from the right, symmetric about the vertical: two start left, odd numbers at the bottom. */
export function ringAngles(n: number): number[] {
  const first = n === 2 ? Math.PI : n % 2 === 0 ? 0 : Math.PI / 2;
  return Array.from({ length: n }, (_, i) => first + (2 * Math.PI * i) / n);
}

/** Lay out a field of side `field`; stimulus and choices have the desired sizes, or smaller ones where they must. */
export function ringLayout(field: number, desired: { stimulus: number; choice: number; n: number }): RingLayout {
  const { choice, n } = desired;
  const stimulus = stimulusBeside(field, Math.min(desired.stimulus, LARGEST_STIMULUS * field), choice, n);
  const radius = ringRadius(field, stimulus);
  return {
    field,
    stimulus,
    choice: Math.min(choice, largestChoice(field, stimulus, n)),
    centres: ringAngles(n).map((angle) => ({
      x: field / 2 + radius * Math.cos(angle),
      y: field / 2 + radius * Math.sin(angle),
    })),
  };
}

/** The largest stimulus up to `largest` that leaves room for legible choices, or for the largest possible ones. */
function stimulusBeside(field: number, largest: number, choice: number, n: number): number {
  const needed = Math.min(choice, LEGIBLE_CHOICE);
  let best = largest;
  for (let stimulus = largest; stimulus > SMALLEST_STIMULUS * field; stimulus -= 1) {
    if (largestChoice(field, best, n) >= needed) {
      break;
    }
    if (largestChoice(field, stimulus, n) > largestChoice(field, best, n)) {
      best = stimulus;
    }
  }
  return best;
}

/** Half-way between the edges of stimulus and field. */
function ringRadius(field: number, stimulus: number): number {
  return (stimulus + field) / 4;
}

/** The largest diameter at which no choice touches the stimulus, its neighbour or the edge of the field. */
function largestChoice(field: number, stimulus: number, n: number): number {
  const radius = ringRadius(field, stimulus);
  const toNeighbour = n > 1 ? 2 * radius * Math.sin(Math.PI / n) : Number.POSITIVE_INFINITY;
  const toStimulus = ringAngles(n).map((angle) => {
    const beyond = (along: number) => Math.max(0, Math.abs(radius * along) - stimulus / 2);
    return 2 * Math.hypot(beyond(Math.cos(angle)), beyond(Math.sin(angle)));
  });
  const toEdge = field - 2 * radius;
  return Math.max(0, Math.min(toNeighbour, toEdge, ...toStimulus) - GAP);
}
