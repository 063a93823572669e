import { useState } from "preact/hooks";
import { bytesText, countText, durationText, plural } from "../../text/units.ts";
import type { Backup } from "../../wire.ts";
import { Bars } from "./bars.tsx";
import { Choice } from "./choice.tsx";
import { latestDays, type Day } from "./days.ts";

const MEASURES = [
  { title: "Archive size", value: ({ sizeBytes }: Backup) => sizeBytes, text: bytesText },
  { title: "Rows", value: ({ manifest }: Backup) => manifest.content.rows, text: countText },
  { title: "Duration", value: ({ manifest }: Backup) => manifest.elapsedMs, text: durationText },
] as const;

const SPANS = ["30", "90", "365"] as const;

/** Size, rows and duration over time, in which a drop or a missed night is seen at once. */
export function History({ backups }: { readonly backups: readonly Backup[] }) {
  const own = backups.filter(({ elsewhere }) => elsewhere === undefined);
  const names = [...new Set(own.map(({ database }) => database))].toSorted();
  const [chosen, setChosen] = useState<string>();
  const [span, setSpan] = useState<string>(SPANS[0]);
  const database = chosen ?? names[0];
  if (database === undefined) return null;
  const days = latestDays(
    own.filter((backup) => backup.database === database),
    Number(span),
    Date.now(),
  );
  return (
    <section class="card" aria-labelledby="history">
      <div class="split">
        <h2 id="history">The last {span} days</h2>
        <form class="filters">
          {names.length > 1 && <Choice name="Database" value={database} values={names} set={setChosen} />}
          <Choice name="Days" value={span} values={SPANS} set={setSpan} />
        </form>
      </div>
      <p>{summary(days)}</p>
      <div class="charts">
        {MEASURES.map((measure) => (
          <Bars key={measure.title} {...measure} days={days} />
        ))}
      </div>
      <Key />
    </section>
  );
}

/** The same in words. */
function summary(days: readonly Day[]): string {
  const names = (found: readonly Day[]) => found.map(({ day }) => day).join(", ");
  const [missed, suspect] = [
    days.filter(({ isMissed }) => isMissed),
    days.filter(({ isSuspect }) => isSuspect),
  ];
  return [
    `${plural(days.filter(({ backup }) => backup !== undefined).length, "day")} with a backup`,
    missed.length === 0 ? "none was missed" : `${missed.length} missed (${names(missed)})`,
    suspect.length === 0 ? "none is suspect" : `${suspect.length} suspect (${names(suspect)})`,
  ].join("; ");
}

function Key() {
  return (
    <ul class="key" aria-hidden="true">
      <li class="of-good">a backup</li>
      <li class="of-suspect">a suspect one</li>
      <li class="of-missed">no backup that day</li>
    </ul>
  );
}
