import { useId, useState } from "preact/hooks";
import type { Overview } from "../../commands/status.ts";
import { bytesText, countText, durationText } from "../../text/units.ts";
import type { Backup } from "../../wire.ts";
import type { Open } from "../parts/doing.ts";
import { Time } from "../parts/time.tsx";
import { BackupDetails } from "./backup-details.tsx";
import { placesOf } from "./choose.ts";

type Props = {
  readonly backup: Backup;
  readonly overview: Overview;
  readonly open: Open;
  readonly isChosen: boolean;
  readonly toggle: () => void;
};

export function BackupRow({ backup, overview, open, isChosen, toggle }: Props) {
  const [isOpen, setOpen] = useState(false);
  const id = useId();
  const { name, startedAt } = backup;
  return (
    <>
      <tr class={backup.suspicion === undefined ? "" : "suspect"}>
        <td class="check">
          <input type="checkbox" checked={isChosen} onChange={toggle} aria-label={`Compare ${name}`} />
        </td>
        <th scope="row">
          <button
            type="button"
            class="row"
            aria-expanded={isOpen}
            aria-controls={id}
            onClick={() => setOpen(!isOpen)}
          >
            <Time at={startedAt} />
            <code>{name.slice(name.indexOf("/") + 1)}</code>
          </button>
        </th>
        <Cells backup={backup} />
        <td>
          <Marks backup={backup} />
        </td>
      </tr>
      {isOpen && (
        <tr id={id} class="details">
          <td colSpan={8}>
            <BackupDetails backup={backup} overview={overview} open={open} />
          </td>
        </tr>
      )}
    </>
  );
}

function Cells({ backup }: { readonly backup: Backup }) {
  const { sizeBytes, manifest } = backup;
  return (
    <>
      <td class="number">{bytesText(sizeBytes)}</td>
      <td class="number roomy">{countText(manifest.content.rows)}</td>
      <td class="number wide">{durationText(manifest.elapsedMs)}</td>
      <td class="wide">{manifest.verification.level}</td>
      <td class="wide">{placesOf(backup).join(", ")}</td>
    </>
  );
}

function Marks({ backup: { manifest, suspicion, elsewhere } }: { readonly backup: Backup }) {
  const { pin, acknowledged, label } = manifest;
  return (
    <span class="marks">
      {suspicion !== undefined && <span class="tag bad">suspect</span>}
      {elsewhere !== undefined && <span class="tag">from elsewhere</span>}
      {pin !== undefined && <span class="tag">pinned</span>}
      {acknowledged !== undefined && <span class="tag">acknowledged</span>}
      {label !== undefined && <span class="label">{label}</span>}
    </span>
  );
}
