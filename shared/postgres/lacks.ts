/**
 * What a dump by this role cannot hold. `data` marks those where rows would be missing: they fail the run unless
 * ALLOW_INCOMPLETE names the kind, and are then left out by name.
 */
export const OMISSION_KINDS = {
  /** Large objects that the role may not read. */
  "large-objects": { data: true },
  /** Tables on which row security applies to the role. */
  "row-security": { data: true },
  /** Tables and sequences without SELECT, or in schemas without USAGE. */
  "unreadable-tables": { data: true },
  /** Unlogged tables, which a standby does not have. */
  "unlogged-tables": { data: true },
  /** Subscriptions: only a superuser dumps them, and no restore makes them. */
  subscriptions: { data: false },
  /** Options of user mappings, often passwords, which pg_dump leaves out without a word. */
  "user-mappings": { data: false },
  /** Rows of foreign tables stay on the foreign server. */
  "foreign-tables": { data: false },
  /** Roles and tablespaces belong to the whole server; no dump of one database has them. */
  roles: { data: false },
  tablespaces: { data: false },
} as const satisfies Record<string, { readonly data: boolean }>;

export type OmissionKind = keyof typeof OMISSION_KINDS;

export type Omission = {
  readonly kind: OmissionKind;
  readonly data: boolean;
  /** Qualified and quoted as SQL writes them; for large objects the first hundred OIDs. */
  readonly names: readonly string[];
  readonly detail: string;
};

/** Those lacks that must fail the run: rows would be missing, and the configuration does not allow it. */
export function fatalOmissions(
  lacks: readonly Omission[],
  allowed: ReadonlySet<OmissionKind>,
): readonly Omission[] {
  return lacks.filter(({ kind, data }) => data && !allowed.has(kind));
}
