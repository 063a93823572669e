import { compareBackups } from "../../commands/compare-backups.ts";
import { otherChanges, restText } from "../../text/difference-words.ts";
import { bytesText, countText } from "../../text/units.ts";
import type { Backup } from "../../wire.ts";
import { Dialog } from "../parts/dialog.tsx";
import { Changes } from "./changes.tsx";

type Props = { readonly before: Backup; readonly now: Backup; readonly close: () => void };

/** Which tables came, went, grew or shrank: a person who asks since when something is missing finds the night. */
export function CompareDialog({ before, now, close }: Props) {
  const difference = compareBackups(before.manifest, now.manifest);
  const { rows, archiveBytes, databaseBytes, tables } = difference;
  const others = otherChanges(difference);
  const totals = [
    ["Rows", rows.map(countText)],
    ["Archive", archiveBytes.map(bytesText)],
    ["Database", databaseBytes.map(bytesText)],
  ] as const;
  return (
    <Dialog title="What changed" close={close}>
      <p>
        <code>{before.name}</code> → <code>{now.name}</code>
      </p>
      <dl class="plan">
        {totals.map(([name, values]) => (
          <>
            <dt>{name}</dt>
            <dd>{values.join(" → ")}</dd>
          </>
        ))}
      </dl>
      <Changes changes={tables} />
      {others.length > 0 && <p>Changed as well: {others.join("; ")}.</p>}
      <p class="dim">{restText(difference)}</p>
    </Dialog>
  );
}
