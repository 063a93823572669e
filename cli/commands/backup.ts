import { EXIT, type Exit } from "../failure.ts";
import { watched } from "../remote/watch.ts";
import type { Session } from "../session.ts";
import { bytesText, durationText, plainText, plural } from "../text/units.ts";
import type { Manifest } from "../wire.ts";

export type BackupOptions = {
  readonly label?: string;
  readonly pin?: string | true;
  readonly ifOlderThan?: string;
  readonly excludeTableData?: readonly string[];
};

export async function backup(session: Session, options: BackupOptions): Promise<Exit> {
  const { output } = session;
  const remote = await session.remote("backup");
  const manifest = await watched<Manifest>(session, remote, options);
  if (output.isJson) return (output.json(manifest), EXIT.good);
  const { archive, content, name, elapsedMs, excluded, warnings } = manifest;
  output.line(
    `${plainText(name)}: ${bytesText(archive.sizeBytes)}, ${plural(content.rows, "row")} in ` +
      `${plural(content.tables.length, "table")}, proved by reading it to its end, in ${durationText(elapsedMs)}`,
  );
  for (const table of excluded?.tables ?? [])
    output.line(
      `without the rows of ${plainText(`${table.schema}.${table.name}`)}: ${bytesText(table.bytes)}`,
    );
  for (const warning of warnings) output.line(output.style("yellow", `warning: ${plainText(warning)}`));
  return EXIT.good;
}
