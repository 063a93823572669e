/** What a role may not make of what an archive holds, each by name. */
export type Forbidden = {
  /** Owners that the role may not become, with the first of what they own. */
  readonly owners: readonly string[];
  /** These owners by name. */
  readonly roles: readonly string[];
  /** What only a superuser makes. */
  readonly kinds: readonly string[];
  /** Functions with settings that the role may not set. */
  readonly functionSettings: readonly string[];
  /** What the server may refuse; also what belongs to a role that may not create where it lies, until all grants are back. */
  readonly doubtful: readonly string[];
};

export const NOTHING_FORBIDDEN: Forbidden = {
  owners: [],
  roles: [],
  kinds: [],
  functionSettings: [],
  doubtful: [],
};
