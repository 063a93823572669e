import { readFileSync } from "node:fs";

/** A key or certificate that the pod has of its own: from a Secret, never from the volume, whose calls have a deadline. */
export function readKeyFile(path: string): string {
  return readFileSync(path, "utf8");
}
