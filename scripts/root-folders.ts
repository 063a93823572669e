// Root folders of Debian releases, each with a PostgreSQL major of its own, as scripts/test-matrix.ts makes them.
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** Debian releases by the major of PostgreSQL that they have, oldest first. No release has 14 or 16. */
export const RELEASES: ReadonlyMap<number, string> = new Map([
  [13, "bullseye"],
  [15, "bookworm"],
  [17, "trixie"],
  [18, "sid"],
]);
/** What takes minutes to make, and is kept. */
export const CACHE = join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "dormouse");
/** Where they lie, each in a folder that bears its major. */
export const ROOTS = join(CACHE, "postgresql");

/**
 * The mounts are seen by the tests alone and end with them. A server and its clients share folders with this machine, and
 * what a test mounts below /tmp.
 */
const ENTER =
  "mount --bind /tmp /tmp; mount --make-shared /tmp; " +
  'for folder in tmp dev proc; do mount --rbind "/$folder" "$0/$folder"; done; exec "$@"';

/** Runs one of the project's programs where the server and client tools of a root folder are those of the machine. */
export function withRoot(root: string, script: string, ...args: string[]) {
  return {
    program: "unshare",
    args: ["--mount", "sh", "-ec", ENTER, root, process.execPath, script, ...args],
    env: { ...process.env, DORMOUSE_TEST_PG_ROOT: root, TMPDIR: "/tmp" },
  };
}

/** The majors of which a root folder was made, oldest first. */
export function allRoots(): readonly { readonly major: number; readonly root: string }[] {
  // To enter one takes root.
  if (process.getuid?.() !== 0) return [];
  const roots = [...RELEASES.keys()].map((major) => ({ major, root: join(ROOTS, `${major}`) }));
  return roots.filter(({ root }) => existsSync(root));
}
