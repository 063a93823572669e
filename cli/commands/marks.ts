import { EXIT, type Exit } from "../failure.ts";
import type { Session } from "../session.ts";

const DONE = {
  pin: "is pinned: no cull removes it",
  unpin: "is not pinned any more",
  acknowledge: "is acknowledged: it is not suspect any more, or no longer stops the cull",
} as const;

/** What operators set on a backup; the cull function keeps it. */
export async function mark(
  session: Session,
  action: keyof typeof DONE,
  name: string,
  { reason }: { readonly reason?: string },
): Promise<Exit> {
  const remote = await session.remote("cull");
  const answer = await remote.post<unknown>({ [action]: name, reason });
  if (session.output.isJson) session.output.json(answer);
  else session.output.line(`${name} ${DONE[action]}`);
  return EXIT.good;
}

/** A database that is gone for good: no alarm asks for backups of it any more. */
export async function retire(
  session: Session,
  database: string,
  { reason }: { readonly reason: string },
): Promise<Exit> {
  const remote = await session.remote("cull");
  const answer = await remote.post<unknown>({ retire: database, reason });
  if (session.output.isJson) session.output.json(answer);
  else session.output.line(`${database} is retired: no alarm asks for backups of it any more`);
  return EXIT.good;
}
