// Where things stand on the stimulus field: the picture in the centre, the choices on a ring around it. Pure geometry;
// lengths in CSS px, the origin at the field's top left corner, y downwards.

export interface RingLayout {
  /** Side of the square field. */
  readonly field: number;
  /** Side of the square that the picture fits into. */
  readonly stimulus: number;
  /** Diameter of a choice. */
  readonly choice: number;
  /** Centres of the choices, in their order. */
  readonly centres: readonly { readonly x: number; readonly y: number }[];
}

/** Free space between a choice and whatever is next to it. */
const GAP = 6;
/** A choice smaller than this cannot hold a readable name; the picture gives way until there is room. */
const LEGIBLE_CHOICE = 64;
const LARGEST_STIMULUS = 0.7;
const SMALLEST_STIMULUS = 0.25;

/** Side of the largest square field in a window. */
export function fieldSize(windowWidth: number, windowHeight: number): number {
  return Math.floor(Math.min(0.95 * windowWidth, 0.9 * windowHeight));
}

/** Angles of n choices, clockwise from the right, symmetric about the vertical: two begin left, odd numbers at the bottom. */
export function ringAngles(n: number): number[] {
  const first = n === 2 ? Math.PI : n % 2 === 0 ? 0 : Math.PI / 2;
  return Array.from({ length: n }, (_, i) => first + (2 * Math.PI * i) / n);
}

/** Lay out a field of side `field` for a picture and choices of the sizes wished for; both shrink where they must. */
export function ringLayout(field: number, wishes: { stimulus: number; choice: number; n: number }): RingLayout {
  const { choice, n } = wishes;
  const stimulus = stimulusBeside(field, Math.min(wishes.stimulus, LARGEST_STIMULUS * field), choice, n);
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

/** The largest picture up to `wish` that leaves room for legible choices, or for the largest ones there can be. */
function stimulusBeside(field: number, wish: number, choice: number, n: number): number {
  const needed = Math.min(choice, LEGIBLE_CHOICE);
  let best = wish;
  for (let stimulus = wish; stimulus > SMALLEST_STIMULUS * field; stimulus -= 1) {
    if (largestChoice(field, best, n) >= needed) {
      break;
    }
    if (largestChoice(field, stimulus, n) > largestChoice(field, best, n)) {
      best = stimulus;
    }
  }
  return best;
}

/** Half-way between the edge of the picture and the edge of the field. */
function ringRadius(field: number, stimulus: number): number {
  return (stimulus + field) / 4;
}

/** The largest diameter at which no choice touches the picture, its neighbour or the field's edge. */
function largestChoice(field: number, stimulus: number, n: number): number {
  const radius = ringRadius(field, stimulus);
  const toNeighbour = n > 1 ? 2 * radius * Math.sin(Math.PI / n) : Number.POSITIVE_INFINITY;
  const toPicture = ringAngles(n).map((angle) => {
    const beyond = (along: number) => Math.max(0, Math.abs(radius * along) - stimulus / 2);
    return 2 * Math.hypot(beyond(Math.cos(angle)), beyond(Math.sin(angle)));
  });
  const toEdge = field - 2 * radius;
  return Math.max(0, Math.min(toNeighbour, toEdge, ...toPicture) - GAP);
}
