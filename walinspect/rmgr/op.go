package rmgr

import (
	"fmt"

	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
)

// Operations of resource manager XLOG (src/include/catalog/pg_control.h), as
// [walinspect.Record.Op] gives them.
const (
	XLOGCheckpointShutdown   uint8 = 0x00
	XLOGCheckpointOnline     uint8 = 0x10
	XLOGNoop                 uint8 = 0x20
	XLOGNextOID              uint8 = 0x30
	XLOGSwitch               uint8 = 0x40
	XLOGBackupEnd            uint8 = 0x50
	XLOGParameterChange      uint8 = 0x60
	XLOGRestorePoint         uint8 = 0x70
	XLOGFPWChange            uint8 = 0x80
	XLOGEndOfRecovery        uint8 = 0x90
	XLOGFPIForHint           uint8 = 0xA0
	XLOGFPI                  uint8 = 0xB0
	XLOGAssignLSN            uint8 = 0xC0 // 19 and later
	XLOGOverwriteContrecord  uint8 = 0xD0
	XLOGCheckpointRedo       uint8 = 0xE0 // 17 and later
	XLOGLogicalDecodingState uint8 = 0xF0 // 19 and later
)

// Operations of other resource managers that callers tell apart.
const (
	StandbyLock          uint8 = 0x00
	StandbyRunningXacts  uint8 = 0x10
	StandbyInvalidations uint8 = 0x20

	smgrCreate     uint8 = 0x10
	smgrTruncate   uint8 = 0x20
	tblspcCreate   uint8 = 0x00
	tblspcDrop     uint8 = 0x10
	dbaseCreate    uint8 = 0x00 // CREATE_FILE_COPY from 15 on
	dbaseCreateLog uint8 = 0x10 // 15 and later
	dbaseDrop13    uint8 = 0x10 // up to 14
	dbaseDrop15    uint8 = 0x20
)

// opNames has a place for each value of the upper half of the info byte.
type opNames [16]string

var names = [...]opNames{
	pg.RmgrXLOG: {
		0x0: "CHECKPOINT_SHUTDOWN", 0x1: "CHECKPOINT_ONLINE", 0x2: "NOOP", 0x3: "NEXTOID",
		0x4: "SWITCH", 0x5: "BACKUP_END", 0x6: "PARAMETER_CHANGE", 0x7: "RESTORE_POINT",
		0x8: "FPW_CHANGE", 0x9: "END_OF_RECOVERY", 0xA: "FPI_FOR_HINT", 0xB: "FPI",
		0xD: "OVERWRITE_CONTRECORD",
	},
	pg.RmgrXact: {
		0x0: "COMMIT", 0x1: "PREPARE", 0x2: "ABORT", 0x3: "COMMIT_PREPARED", 0x4: "ABORT_PREPARED",
		0x5: "ASSIGNMENT",
	},
	pg.RmgrSmgr:   {0x1: "CREATE", 0x2: "TRUNCATE"},
	pg.RmgrCLOG:   {0x0: "ZEROPAGE", 0x1: "TRUNCATE"},
	pg.RmgrDbase:  {0x0: "CREATE_FILE_COPY", 0x1: "CREATE_WAL_LOG", 0x2: "DROP"},
	pg.RmgrTblspc: {0x0: "CREATE", 0x1: "DROP"},
	pg.RmgrMultiXact: {
		0x0: "ZERO_OFF_PAGE", 0x1: "ZERO_MEM_PAGE", 0x2: "CREATE_ID", 0x3: "TRUNCATE_ID",
	},
	pg.RmgrRelMap:  {0x0: "UPDATE"},
	pg.RmgrStandby: {0x0: "LOCK", 0x1: "RUNNING_XACTS", 0x2: "INVALIDATIONS"},
	pg.RmgrHeap2: {
		0x0: "REWRITE", 0x1: "PRUNE_ON_ACCESS", 0x2: "PRUNE_VACUUM_SCAN", 0x3: "PRUNE_VACUUM_CLEANUP",
		0x5: "MULTI_INSERT", 0xD: "MULTI_INSERT+INIT", 0x6: "LOCK_UPDATED", 0x7: "NEW_CID",
	},
	pg.RmgrHeap: {
		0x0: "INSERT", 0x8: "INSERT+INIT", 0x1: "DELETE", 0x2: "UPDATE", 0xA: "UPDATE+INIT",
		0x3: "TRUNCATE", 0x4: "HOT_UPDATE", 0xC: "HOT_UPDATE+INIT", 0x5: "HEAP_CONFIRM", 0x6: "LOCK",
		0x7: "INPLACE",
	},
	pg.RmgrBtree: {
		0x0: "INSERT_LEAF", 0x1: "INSERT_UPPER", 0x2: "INSERT_META", 0x3: "SPLIT_L", 0x4: "SPLIT_R",
		0x5: "INSERT_POST", 0x6: "DEDUP", 0x7: "DELETE", 0x8: "UNLINK_PAGE", 0x9: "UNLINK_PAGE_META",
		0xA: "NEWROOT", 0xB: "MARK_PAGE_HALFDEAD", 0xC: "VACUUM", 0xD: "REUSE_PAGE", 0xE: "META_CLEANUP",
	},
	pg.RmgrHash: {
		0x0: "INIT_META_PAGE", 0x1: "INIT_BITMAP_PAGE", 0x2: "INSERT", 0x3: "ADD_OVFL_PAGE",
		0x4: "SPLIT_ALLOCATE_PAGE", 0x5: "SPLIT_PAGE", 0x6: "SPLIT_COMPLETE", 0x7: "MOVE_PAGE_CONTENTS",
		0x8: "SQUEEZE_PAGE", 0x9: "DELETE", 0xA: "SPLIT_CLEANUP", 0xB: "UPDATE_META_PAGE",
		0xC: "VACUUM_ONE_PAGE",
	},
	pg.RmgrGin: {
		0x1: "CREATE_PTREE", 0x2: "INSERT", 0x3: "SPLIT", 0x4: "VACUUM_PAGE", 0x5: "DELETE_PAGE",
		0x6: "UPDATE_META_PAGE", 0x7: "INSERT_LISTPAGE", 0x8: "DELETE_LISTPAGE", 0x9: "VACUUM_DATA_LEAF_PAGE",
	},
	pg.RmgrGist: {
		0x0: "PAGE_UPDATE", 0x1: "DELETE", 0x2: "PAGE_REUSE", 0x3: "PAGE_SPLIT", 0x6: "PAGE_DELETE",
		0x7: "ASSIGN_LSN",
	},
	pg.RmgrSeq: {0x0: "LOG"},
	pg.RmgrSPGist: {
		0x1: "ADD_LEAF", 0x2: "MOVE_LEAFS", 0x3: "ADD_NODE", 0x4: "SPLIT_TUPLE", 0x5: "PICKSPLIT",
		0x6: "VACUUM_LEAF", 0x7: "VACUUM_ROOT", 0x8: "VACUUM_REDIRECT",
	},
	pg.RmgrBRIN: {
		0x0: "CREATE_INDEX", 0x1: "INSERT", 0x9: "INSERT+INIT", 0x2: "UPDATE", 0xA: "UPDATE+INIT",
		0x3: "SAMEPAGE_UPDATE", 0x4: "REVMAP_EXTEND", 0x5: "DESUMMARIZE",
	},
	pg.RmgrCommitTs:   {0x0: "ZEROPAGE", 0x1: "TRUNCATE"},
	pg.RmgrReplOrigin: {0x0: "SET", 0x1: "DROP"},
	pg.RmgrLogicalMsg: {0x0: "MESSAGE"},
}

// OpName is the name that pg_waldump of the record's version gives to the
// operation, "UNKNOWN (30)" where it has none.
func OpName(rec *walinspect.Record) string {
	if name := opName(rec.Major(), rec.Rmgr, rec.Info); name != "" {
		return name
	}
	return fmt.Sprintf("UNKNOWN (%x)", rec.Op())
}

func opName(major int, id pg.RmgrID, info uint8) string {
	if !id.Builtin() {
		return ""
	}
	op := info >> 4
	switch id {
	case pg.RmgrGeneric:
		return "Generic"
	case pg.RmgrXact:
		op &= 0x7 // the eighth bit says that flags follow
		if op == 0x6 && major >= 14 {
			return "INVALIDATION"
		}
	case pg.RmgrXLOG:
		if name := xlogOpName(major, op); name != "" {
			return name
		}
	case pg.RmgrDbase:
		if major <= 14 {
			return opNames{0x0: "CREATE", 0x1: "DROP"}[op]
		}
	case pg.RmgrHeap2:
		if name, moved := heap2OpName(major, op); moved {
			return name
		}
	case pg.RmgrGist:
		if op == 0x7 && major >= 19 {
			return ""
		}
	case pg.RmgrCommitTs, pg.RmgrReplOrigin:
		if info&0x0F != 0 {
			return "" // the server compares the whole byte here
		}
		if id == pg.RmgrCommitTs && op == 0x2 && major == 13 {
			return "SETTS"
		}
	}
	return names[id][op]
}

// xlogOpName knows the operations that not all versions have.
func xlogOpName(major int, op uint8) string {
	switch {
	case op == 0xC && major >= 19:
		return "ASSIGN_LSN"
	case op == 0xE && major >= 17:
		return "CHECKPOINT_REDO"
	case op == 0xF && major >= 19:
		return "LOGICAL_DECODING_STATUS_CHANGE"
	}
	return ""
}

// heap2OpName knows what the operations 10 to 40 of Heap2 meant before they
// were used anew, and that the last is gone.
func heap2OpName(major int, op uint8) (string, bool) {
	if op < 0x1 || op > 0x4 {
		return "", false
	}
	switch {
	case major <= 13:
		return opNames{0x1: "CLEAN", 0x2: "FREEZE_PAGE", 0x3: "CLEANUP_INFO", 0x4: "VISIBLE"}[op], true
	case major <= 16:
		return opNames{0x1: "PRUNE", 0x2: "VACUUM", 0x3: "FREEZE_PAGE", 0x4: "VISIBLE"}[op], true
	case op == 0x4 && major <= 18:
		return "VISIBLE", true
	}
	return "", false
}
