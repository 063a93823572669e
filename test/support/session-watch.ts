import type { Watch } from "./tcp-proxy.ts";

/** What the session that replaces all content in place has just come to; see replace-content.ts. */
export type Moment = "wiping" | "committed";

/** A frontend's or backend's bytes on the wire, where no message of interest is ever cut in two. */
const WIPE = "DO $wipe$";
const COMMITTED = Buffer.from("COMMIT\0");

/**
 * For a proxy in front of PostgreSQL: calls `reached` at one moment of a restore in place, before any other sees
 * it, and lets nothing pass in that session from then on.
 */
export function atReplacement(moment: Moment, reached: () => void): () => Watch {
  return () => {
    let isReplacing = false;
    let isOver = false;
    const stop = (): false => {
      isOver = true;
      reached();
      return false;
    };
    return {
      sent(bytes) {
        if (isOver) return false;
        isReplacing ||= bytes.includes(WIPE);
        return isReplacing && moment === "wiping" ? stop() : true;
      },
      answered(bytes) {
        if (isOver) return false;
        return isReplacing && moment === "committed" && bytes.includes(COMMITTED) ? stop() : true;
      },
    };
  };
}
