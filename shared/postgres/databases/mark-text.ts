/**
 * What the server itself says of a database that a restore made, fills or keeps. Records lie on a volume, to which
 * others may write; the server alone decides what is dropped, and whether a restore is still under way.
 */
export type DatabaseMark = {
  /** The restore that works on it: what it was begun for is neither finished nor taken back. */
  readonly underWay?: string | undefined;
  /** The restore that took it out of use, and until when it stays, by the server's clock. */
  readonly kept?: { readonly by: string; readonly until: Date } | undefined;
};

const RUN = "(restore-[0-9a-f]{24})";
/** The last line of a database's comment: all that its owner may write, and every release carries through a rename. */
const MARK = new RegExp(
  `(?:^|\\n)dormouse:(?: under way ${RUN})?(?: kept by ${RUN} until (\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z))?$`,
);

export function readMark(comment: string | null): DatabaseMark {
  const [, underWay, by, until] = MARK.exec(comment ?? "") ?? [];
  return {
    underWay,
    kept: by === undefined || until === undefined ? undefined : { by, until: new Date(until) },
  };
}

/** The comment that the database has of its owner; `null` when it has none. */
export function withoutMark(comment: string | null): string | null {
  const text = comment?.replace(MARK, "") ?? "";
  return text === "" ? null : text;
}

/** The owner's comment, with this mark instead of the one that it had. */
export function withMark(comment: string | null, { underWay, kept }: DatabaseMark): string | null {
  const own = withoutMark(comment);
  if (underWay === undefined && kept === undefined) return own;
  const parts = [
    ...(underWay === undefined ? [] : [` under way ${underWay}`]),
    ...(kept === undefined ? [] : [` kept by ${kept.by} until ${kept.until.toISOString()}`]),
  ];
  return [...(own === null ? [] : [own]), `dormouse:${parts.join("")}`].join("\n");
}
