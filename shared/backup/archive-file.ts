import type { Backup } from "./backup.ts";

/** A whole archive as a file that pg_restore can seek in; gone, where it is a copy, when disposed of. */
export type ArchiveFile = { readonly path: string; [Symbol.asyncDispose](): Promise<void> };

/** Finds the archive on the volume or fetches it, checks every byte against the manifest, decrypts. */
export type OpenArchiveFile = (
  backup: Backup,
  signal: AbortSignal,
  progress: (detail: Readonly<Record<string, unknown>>) => void,
) => Promise<ArchiveFile>;
