import { EXIT, type Exit } from "../failure.ts";
import { watched } from "../remote/watch.ts";
import type { Session } from "../session.ts";
import { bytesText, plainText, plural } from "../text/units.ts";
import type { CullReport } from "../wire.ts";

/** What would go; with `--yes` it goes. */
export async function cull(session: Session, { yes }: { readonly yes?: true }): Promise<Exit> {
  const { output } = session;
  const remote = await session.remote("cull");
  const report =
    yes === true
      ? await watched<CullReport>(session, remote, {})
      : await remote.post<CullReport>({ dryRun: true });
  if (output.isJson) return (output.json(report), EXIT.good);
  for (const { database, keep, remove, refusal } of report.databases) {
    output.line(
      output.style(
        "bold",
        plainText(`${database}: ${plural(keep.length, "backup")} kept, ${remove.length} planned to go`),
      ),
    );
    if (refusal !== undefined)
      output.line(output.style("red", plainText(`  nothing goes: ${refusal.detail}`)));
    for (const { name, sizeBytes, reason } of remove)
      output.line(plainText(`  ${name}  ${bytesText(sizeBytes)}  ${reason}`));
  }
  if (report.dryRun) output.line(`Nothing was removed. To remove them: ${session.commandLine("cull --yes")}`);
  else
    output.line(`${plural(report.removed.length, "backup")} removed, ${bytesText(report.bytesFreed)} freed`);
  return EXIT.good;
}
