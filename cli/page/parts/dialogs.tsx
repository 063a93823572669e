import type { Overview } from "../../commands/status.ts";
import { followRun, startRun } from "../api.ts";
import { CompareDialog } from "../catalog/compare-dialog.tsx";
import { MarkDialog } from "../catalog/mark-dialog.tsx";
import { BackupDialog } from "../run/backup-dialog.tsx";
import { RestoreDialog } from "../run/restore-dialog.tsx";
import { RunView } from "../run/run-view.tsx";
import { Dialog } from "./dialog.tsx";
import type { Doing, Open } from "./doing.ts";

type Props = {
  readonly doing: Doing;
  readonly overview: Overview;
  readonly open: Open;
  /** Whether something was done. */
  readonly close: (isDone: boolean) => void;
};

export function Dialogs({ doing, overview, open, close }: Props) {
  const { where } = overview;
  const done = () => close(true);
  switch (doing.kind) {
    case "backup":
      return <BackupDialog overview={overview} {...doing} close={close} />;
    case "restore":
      return <RestoreDialog key={doing.backup.name} {...doing} where={where} open={open} close={close} />;
    case "undo":
      return <RestoreDialog key={doing.run} {...doing} where={where} open={open} close={close} />;
    case "rehearse":
      return (
        <Dialog title="Rehearse a restore" close={done}>
          <p>
            {doing.backup.name} is loaded into a scratch database, compared, and dropped. The application
            notices nothing.
          </p>
          <RunView
            start={() => startRun("restore", { filename: doing.backup.name, into: "scratch" })}
            where={where}
            open={open}
          />
        </Dialog>
      );
    case "follow":
      return (
        <Dialog title="A run" close={done}>
          <RunView start={() => followRun(doing.run)} where={where} open={open} />
        </Dialog>
      );
    case "mark":
      return <MarkDialog {...doing} close={close} />;
    case "compare":
      return <CompareDialog {...doing} close={() => close(false)} />;
  }
}
