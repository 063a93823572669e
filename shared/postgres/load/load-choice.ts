import type { ArchiveFormat } from "../archive-format.ts";
import type { Settings } from "../properties/database-properties.ts";
import type { TableRows } from "../plain-dump/plain-dump.ts";

/** What the caller asks of a load besides the backup. */
export type LoadChoice = {
  /** All belongs to the role that restores, not to its owner in the backup. */
  readonly owner?: "current" | undefined;
  /** Entries of the archive as `pg_restore --list` and its errors write them behind the numbers: `FK CONSTRAINT public child child_fk app`. */
  readonly leaveOut?: readonly string[] | undefined;
  /** Roles that the server lacks are made first. */
  readonly createRoles?: boolean | undefined;
  /** Not only the numbers of rows: a rehearsal compares values in any case. */
  readonly compare?: "values" | undefined;
};

export type LoadRequest = {
  readonly database: string;
  /** Verified to its end. */
  readonly file: { readonly fd: number; bytes(): AsyncIterable<Uint8Array> };
  readonly format: ArchiveFormat;
  /** Where a file of SQL holds what is not to be loaded. */
  readonly loadedBytes?: number | undefined;
  /** What the sessions that load work under; see `settingsOfLoad` of the server. */
  readonly settings: Settings;
  /** Connections of pg_restore. */
  readonly jobs: number;
  readonly choice: LoadChoice;
};

/** Only those fields of a request or a journal. */
export function choiceOf({ owner, leaveOut, createRoles, compare }: LoadChoice): LoadChoice {
  return {
    ...(createRoles === true ? { createRoles } : {}),
    ...(owner === undefined ? {} : { owner }),
    ...(leaveOut === undefined || leaveOut.length === 0 ? {} : { leaveOut: [...leaveOut] }),
    ...(compare === undefined ? {} : { compare }),
  };
}

/** The tables whose rows are to be there, without these entries of the archive. */
export function expectedTables(tables: readonly TableRows[], leftOut: readonly string[]): TableRows[] {
  return tables.filter(
    ({ schema, name }) => !leftOut.some((entry) => entry.startsWith(`TABLE DATA ${schema} ${name} `)),
  );
}

export function choiceWarnings({ owner, leaveOut = [] }: LoadChoice): string[] {
  return [
    ...(owner === "current" ? ["all belongs to the role that restores, not to its owner in the backup"] : []),
    ...leaveOut.map((entry) => `left out: ${entry}`),
  ];
}
