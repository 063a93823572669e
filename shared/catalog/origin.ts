import { newestFirst, type Backup } from "./backup.ts";

/** Whose a backup is: the server that it was dumped from, and where the function stood that took it. */
export type Origin = {
  /** PostgreSQL's own: one for each cluster that initdb made. Physical copies of a cluster have the same. */
  readonly system?: string | undefined;
  /** Of Kubernetes. */
  readonly namespace?: string | undefined;
  /** Under which the server was reached. */
  readonly service?: string | undefined;
  /** Identifiers of the servers before this one, as the backups on the same volume had them. */
  readonly formerly?: readonly string[] | undefined;
};

/** Where a listing says so, the places of a backup. */
type Listed = Backup & { readonly places?: readonly string[] };

/**
 * The origin of what is taken now, with those that came before it: a server that was rebuilt or upgraded has another
 * identifier, and what its installation took before lies on the same volume. A copy of the volume in another namespace
 * is no such thing.
 */
export function ownOrigin(current: Origin, onVolume: readonly Backup[]): Origin {
  const [last] = onVolume
    .toSorted(newestFirst)
    .flatMap(({ manifest: { origin } }) =>
      origin !== undefined && origin.namespace === current.namespace ? [origin] : [],
    );
  if (last === undefined) return current;
  const system = current.system ?? last.system;
  const service = current.service ?? last.service;
  const before = [...(last.formerly ?? []), ...(last.system === undefined ? [] : [last.system])];
  const formerly = [...new Set(before)].filter((each) => each !== system);
  return {
    ...current,
    ...(system === undefined ? {} : { system }),
    ...(service === undefined ? {} : { service }),
    ...(formerly.length === 0 ? {} : { formerly }),
  };
}

/** The same of each database, for a function that does not know the server. */
export function ownOrigins(
  namespace: string | undefined,
  onVolume: readonly Backup[],
): ReadonlyMap<string, Origin> {
  const byDatabase = [...Map.groupBy(onVolume, ({ database }) => database)];
  const current = namespace === undefined ? {} : { namespace };
  return new Map(byDatabase.map(([database, backups]) => [database, ownOrigin(current, backups)]));
}

export function onVolume(backups: readonly Listed[], database: string): readonly Backup[] {
  return backups.filter((backup) => backup.database === database && liesOnVolume(backup));
}

/** Without places all lie where the listing comes from. */
function liesOnVolume({ places }: Listed): boolean {
  return places === undefined || places.includes("volume");
}

/**
 * Whether a backup is one's own. One without an origin, of a version that recorded none, is the volume's: in a bucket it
 * may be anyone's.
 */
export function isOwn(own: Origin | undefined, backup: Listed): boolean {
  const { origin } = backup.manifest;
  if (origin === undefined) return liesOnVolume(backup);
  return own !== undefined && isSame(own, origin);
}

function isSame(own: Origin, other: Origin): boolean {
  if (own.namespace !== other.namespace) return false;
  const { system, service, formerly = [] } = own;
  if (other.system !== undefined && [system, ...formerly].includes(other.system)) return true;
  // Where one of them could not ask its server, the name by which that is reached must do.
  return (system === undefined || other.system === undefined) && service === other.service;
}

/** Like `namespace hets-dev, server postgresql (system 7312…)`. */
export function originText({ manifest: { origin } }: Backup): string {
  if (origin === undefined) return "unknown";
  const { namespace, service, system } = origin;
  return [
    ...(namespace === undefined ? [] : [`namespace ${namespace}`]),
    ...(service === undefined ? [] : [`server ${service}`]),
    ...(system === undefined ? [] : [`system ${system}`]),
  ].join(", ");
}
