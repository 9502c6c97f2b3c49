// What each choice's button shows: a shape, an icon or its name. Knows nothing of loading or drawing.

import type { Shape, Trial } from "../contract";

export type ChoiceFace =
  | { readonly kind: "name" }
  | { readonly kind: "shape"; readonly shape: Shape }
  /** An icon; the name where it cannot be loaded. */
  | { readonly kind: "icon"; readonly url: string };

/** The faces of a trial's choices, in ring order. */
export function choiceFaces(trial: Pick<Trial, "choice_names" | "choice_image_urls" | "shape">): ChoiceFace[] {
  const urls = trial.choice_image_urls ?? [];
  return trial.choice_names.map((name, i) => {
    // Only on calibration trials: elsewhere a category may be called circle.
    if (trial.shape !== null && (name === "circle" || name === "triangle")) {
      return { kind: "shape", shape: name };
    }
    const url = urls[i];
    // An icon shared by two choices cannot distinguish them; their names can.
    return url === undefined || urls.indexOf(url) !== urls.lastIndexOf(url) ? { kind: "name" } : { kind: "icon", url };
  });
}
