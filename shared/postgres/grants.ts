import type { Omission, OmissionKind } from "./lacks.ts";
import { identifier } from "./sql-text.ts";

/** More are not listed one by one: a role that lacks as many wants the right to all. */
const MOST = 10;
const SCHEMA = /^(?:"(?:[^"]|"")+"|[^".]+)(?=\.)/;

/** SQL that gives a role exactly what it lacks to dump this, to be pasted in that database as a superuser or the owner. */
const GRANTS: Partial<Record<OmissionKind, (to: string, names: readonly string[]) => string>> = {
  "large-objects": (to, names) =>
    names.length > MOST
      ? `let ${to} be a member of the role that owns the large objects`
      : `GRANT SELECT ON LARGE OBJECT ${names.join(", ")} TO ${to}`,
  "row-security": (to) => `ALTER ROLE ${to} BYPASSRLS`,
  "unreadable-tables": (to, names) => {
    if (names.length > MOST) return `GRANT pg_read_all_data TO ${to}`;
    const schemas = [...new Set(names.map((name) => SCHEMA.exec(name)?.[0] ?? name))];
    return `GRANT USAGE ON SCHEMA ${schemas.join(", ")} TO ${to}; GRANT SELECT ON ${names.join(", ")} TO ${to}`;
  },
  "unlogged-tables": () => "back up from the primary",
};

/** For all that is missing, and after it the way to do without. */
export function remedyFor(role: string, missing: readonly Omission[]): string {
  const grants = missing.flatMap(({ kind, names }) => GRANTS[kind]?.(identifier(role), names) ?? []);
  return `${grants.join("; ")}; or do without: ALLOW_INCOMPLETE=${missing.map(({ kind }) => kind).join(",")}`;
}
