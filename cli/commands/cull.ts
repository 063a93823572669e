import { EXIT, wrongUsage, type Exit } from "../failure.ts";
import { watched } from "../remote/watch.ts";
import type { Session } from "../session.ts";
import { bytesText, plural } from "../text/units.ts";
import type { CullReport } from "../wire.ts";

export type CullOptions = { readonly yes?: true; readonly keep?: string };

/** What would go; with `--yes` it goes. */
export async function cull(session: Session, { yes, keep }: CullOptions): Promise<Exit> {
  const { output } = session;
  if (yes === true && keep !== undefined)
    throw wrongUsage(
      "--keep shows what other counts would remove; --yes goes by those of the function",
      "set the counts in its settings, then cull --yes",
    );
  const remote = await session.remote("cull");
  const report =
    yes === true
      ? await watched<CullReport>(session, remote, {})
      : await remote.post<CullReport>({ dryRun: true, keep: keep && countsIn(keep) });
  if (output.isJson) return (output.json(report), EXIT.good);
  for (const { database, keep, remove, refusal } of report.databases) {
    output.line(
      output.style(
        "bold",
        `${database}: ${plural(keep.length, "backup")} kept, ${remove.length} planned to go`,
      ),
    );
    if (refusal !== undefined) output.line(output.style("red", `  nothing goes: ${refusal.detail}`));
    for (const { name, sizeBytes, reason } of remove)
      output.line(`  ${name}  ${bytesText(sizeBytes)}  ${reason}`);
  }
  if (report.dryRun) output.line(`Nothing was removed. To remove them: ${session.commandLine("cull --yes")}`);
  else
    output.line(`${plural(report.removed.length, "backup")} removed, ${bytesText(report.bytesFreed)} freed`);
  return EXIT.good;
}

/** `NUM_BACKUPS=14,KEEP_WEEKLY=4`; which names there are, the function says. */
function countsIn(text: string): Readonly<Record<string, number>> {
  const counts = text.split(",").map((part): [string, number] => {
    const [, name = "", count = ""] = /^([A-Z_]+)=(\d+)$/.exec(part.trim()) ?? [];
    if (name === "")
      throw wrongUsage(`--keep has ${JSON.stringify(part)}`, "write it like NUM_BACKUPS=14,KEEP_WEEKLY=4");
    return [name, Number(count)];
  });
  return Object.fromEntries(counts);
}
