import { EXIT, type Exit } from "../failure.ts";
import type { Output } from "../output.ts";
import { watched } from "../remote/watch.ts";
import type { Session } from "../session.ts";
import { sweptCountText, sweptText, takenText } from "../text/swept-text.ts";
import { bytesText } from "../text/units.ts";
import type { Manifest, Sweep } from "../wire.ts";

export type BackupOptions = {
  readonly database?: string;
  readonly label?: string;
  readonly pin?: string | true;
  readonly ifOlderThan?: string;
  readonly excludeTableData?: readonly string[];
};

export async function backup(session: Session, options: BackupOptions): Promise<Exit> {
  const { output } = session;
  const remote = await session.remote("backup");
  const taken = await watched<Manifest | Sweep>(session, remote, options);
  if (output.isJson) output.json(taken);
  if (!isSweep(taken)) return (show(output, taken), EXIT.good);
  const { databases } = taken;
  for (const each of databases)
    output.line(output.style(each.problem === undefined ? "green" : "red", sweptText(each)));
  output.line(sweptCountText(databases));
  return databases.some(({ problem }) => problem !== undefined) ? EXIT.failed : EXIT.good;
}

function isSweep(taken: Manifest | Sweep): taken is Sweep {
  return "databases" in taken;
}

function show(output: Output, manifest: Manifest): void {
  output.line(takenText(manifest));
  for (const table of manifest.excluded?.tables ?? [])
    output.line(`without the rows of ${table.schema}.${table.name}: ${bytesText(table.bytes)}`);
  for (const warning of manifest.warnings) output.line(output.style("yellow", `warning: ${warning}`));
}
