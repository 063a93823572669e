import * as promises from "../../shared/catalog/volume/volume-calls.ts";
import type { Files } from "../../shared/catalog/volume/files.ts";

/** The file system, of which some calls do something else. */
export function filesWith(
  changes: Partial<Record<keyof Files, (...args: never[]) => Promise<unknown>>>,
): Files {
  return { ...promises, ...changes } as unknown as Files;
}

/** The error of a call that fails with `code`. */
export function fault(code: string): Promise<never> {
  return Promise.reject(Object.assign(new Error(`${code}: made by the test`), { code }));
}
