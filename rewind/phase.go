package rewind

// Phase is a part of a rewind that a person waits for, in order.
type Phase string

const (
	PhaseSurvey Phase = "survey" // control files, histories, fork point
	PhaseIndex  Phase = "index"  // the log of the target
	PhasePlan   Phase = "plan"   // lists of files, decisions
	PhaseStage  Phase = "stage"  // fetch the log that replay needs, prove that it is whole
	PhaseCopy   Phase = "copy"   // the first phase that changes the target
	PhaseFinish Phase = "finish" // label, settings, control file
	PhaseSync   Phase = "sync"   // everything that was touched to disk
	PhaseSeal   Phase = "seal"   // the manifest of the evidence bundle; the target is done
	PhaseDone   Phase = "done"   //
	PhaseUndo   Phase = "undo"   // old bytes back
	PhaseVerify Phase = "verify" // read everything again
)

var doing = map[Phase]string{
	PhaseSurvey: "reading control files and histories",
	PhaseIndex:  "reading the WAL of the target",
	PhasePlan:   "comparing the lists of files",
	PhaseStage:  "fetching and checking the WAL that replay needs",
	PhaseCopy:   "copying blocks and files",
	PhaseFinish: "writing backup label and control file",
	PhaseSync:   "syncing what was written",
	PhaseSeal:   "summing up the evidence",
	PhaseDone:   "reporting",
	PhaseUndo:   "putting the old bytes back",
	PhaseVerify: "checking every page",
}

// Doing says in words what happens in the phase.
func (p Phase) Doing() string { return doing[p] }

// Progress is how far a phase has come. Total is 0 where it is not known.
type Progress struct {
	Phase       Phase
	Done, Total int64 // bytes, or segments in PhaseIndex
	Unit        string
}
