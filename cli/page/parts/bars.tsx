import type { Backup } from "../../wire.ts";
import type { Day } from "./days.ts";

const [WIDTH, HEIGHT] = [1_000, 100];

type Props = {
  readonly title: string;
  readonly days: readonly Day[];
  readonly value: (backup: Backup) => number;
  readonly text: (value: number) => string;
};

/** One measure, a bar for each day. What it shows stands in the table as well. */
export function Bars({ title, days, value, text }: Props) {
  const values = days.map(({ backup }) => (backup === undefined ? 0 : value(backup)));
  const highest = Math.max(1, ...values);
  const width = WIDTH / days.length;
  const last = days.findLast(({ backup }) => backup !== undefined)?.backup;
  return (
    <figure>
      <figcaption>
        <strong>{title}</strong>
        {last !== undefined && <span>{text(value(last))} now</span>}
        <span class="dim">at most {text(highest)}</span>
      </figcaption>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
        {days.map((day, index) => (
          <Bar
            key={day.day}
            day={day}
            x={index * width}
            width={width}
            height={((values[index] ?? 0) / highest) * (HEIGHT - 8)}
            text={text}
            value={value}
          />
        ))}
      </svg>
      <div class="ends dim" aria-hidden="true">
        <span>{days[0]?.day}</span>
        <span>{days.at(-1)?.day}</span>
      </div>
    </figure>
  );
}

type BarProps = Pick<Props, "value" | "text"> & {
  readonly day: Day;
  readonly x: number;
  readonly width: number;
  readonly height: number;
};

function Bar({ day: { day, backup, isSuspect, isMissed }, x, width, height, text, value }: BarProps) {
  const gap = width * 0.15;
  if (isMissed)
    return (
      <rect class="missed" x={x + gap} y={0} width={width - 2 * gap} height={HEIGHT}>
        <title>{day}: no backup</title>
      </rect>
    );
  if (backup === undefined) return null;
  const shown = Math.max(2, height);
  return (
    <g class={isSuspect ? "suspect" : "taken"}>
      <title>
        {day}: {text(value(backup))}
        {isSuspect ? ", suspect" : ""}
      </title>
      {isSuspect && <rect class="behind" x={x} y={0} width={width} height={HEIGHT} />}
      <rect x={x + gap} y={HEIGHT - shown} width={width - 2 * gap} height={shown} />
    </g>
  );
}
