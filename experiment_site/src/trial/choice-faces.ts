// What stands on the button of each choice: a shape, an icon or its name. Knows nothing of how they are loaded or drawn.

import type { Shape, Trial } from "../contract";

export type ChoiceFace =
  | { readonly kind: "name" }
  | { readonly kind: "shape"; readonly shape: Shape }
  /** An image of the choice, or its name if the image fails to load. */
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
    // A picture that stands for two choices tells neither from the other; their names do.
    return url === undefined || urls.indexOf(url) !== urls.lastIndexOf(url) ? { kind: "name" } : { kind: "icon", url };
  });
}
