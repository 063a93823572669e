import { MARKS, type BackupManifest } from "./manifest.ts";

/** What changes in the life of a backup, and the signature itself. Nothing in them is executed or restored. */
const UNSIGNED = new Set<string>([...MARKS, "signature"]);

/** The text that is signed: the same for every order of the keys, and with the fields that newer versions add. */
export function signedContent(manifest: BackupManifest): string {
  const entries = Object.entries(manifest).filter(([key]) => !UNSIGNED.has(key));
  return JSON.stringify(sorted(Object.fromEntries(entries)));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sorted(inner)]));
}
