package rewind

import (
	"context"
	"errors"
	"fmt"

	"forkpoint/rewind/plan"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/timeline"
)

// checkSpared looks again, in the log that the target has now, whether replay
// restores each block that was left to it: the record that the plan's proof
// points to is the first that refers to the block since redo.
func (r *run) checkSpared(ctx context.Context, c *Certificate, p *plan.Plan) error {
	if len(p.Spared) == 0 {
		return nil
	}
	span := pg.Span{From: p.Checkpoint.Redo, To: p.Fork.LSN}
	path, err := timeline.ReadPath(r.sit.target.control.MinRecoveryTimeline, r.cfg.Target.History)
	if err != nil {
		return fmt.Errorf("target: %w", err)
	}
	facts, err := r.newIndex(r.targetWAL()).Touched(ctx, path, span)
	if err != nil {
		return fmt.Errorf("target: read the WAL that restores pages, %s: %w", span, err)
	}
	if len(facts.Gaps) > 0 {
		c.fault(Fault{Path: p.Spared[0].Path, What: fmt.Sprintf("the WAL that restores pages of it and of other files is not whole (%s)", gapText(facts))})
		return nil
	}
	size := int64(r.sit.target.control.RelSegSize)
	for _, s := range p.Spared {
		rel, ok := pg.ParseRelPath(s.Path, r.cfg.Target.VersionDir())
		if !ok || rel.Fork != pg.MainFork {
			return errors.New("the plan leaves blocks of " + s.Path + " to replay, which is no main fork")
		}
		first := pg.BlockNumber(int64(rel.Segment) * size)
		for _, proof := range s.Proof {
			c.checkProof(s.Path, rel.RelFork, first, proof, facts)
		}
	}
	return nil
}

// checkProof compares one proof with what the log says.
func (c *Certificate) checkProof(path string, rel pg.RelFork, first pg.BlockNumber, proof plan.Proof, facts *Facts) {
	if proof.Blocks == nil {
		return // too many to be named
	}
	for _, here := range facts.Restored {
		if here.Span.From != proof.From {
			continue
		}
		known := here.Blocks[rel]
		for from, to := range proof.Blocks.Ranges() {
			for b := from; b < to; b++ {
				if known != nil && known.Contains(b+first) {
					c.Spared++
					continue
				}
				c.fault(Fault{Path: path, Block: b, What: fmt.Sprintf("left to replay, but no record in %s to %s restores it", proof.From, proof.To)})
			}
		}
		return
	}
	c.fault(Fault{Path: path, What: fmt.Sprintf("blocks were left to replay, but the WAL from %s to %s restores nothing", proof.From, proof.To)})
}
