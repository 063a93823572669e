import type { Backup } from "../../wire.ts";

export type Mark = "pin" | "unpin" | "acknowledge";

/** What a person is about to do. */
export type Doing =
  /** Of one database; of all where none is named. */
  | { readonly kind: "backup"; readonly database?: string }
  | { readonly kind: "restore"; readonly backup: Pick<Backup, "name" | "elsewhere"> }
  | { readonly kind: "rehearse"; readonly backup: Pick<Backup, "name"> }
  | { readonly kind: "undo"; readonly run: string }
  | { readonly kind: "follow"; readonly run: string }
  | { readonly kind: "mark"; readonly action: Mark; readonly backup: Backup }
  | { readonly kind: "compare"; readonly before: Backup; readonly now: Backup };

export type Open = (doing: Doing) => void;
