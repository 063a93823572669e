import { shellQuote } from "./shell-quote.ts";

/** The words behind `dormouse` that take a restore back. One in place has kept no database, but a safety backup: its `filename`. */
export function undoCommand({ undo, filename = "" }: { undo?: string; filename?: string }): string {
  return undo === undefined ? `restore ${shellQuote(filename)} --in-place` : `undo ${undo}`;
}
