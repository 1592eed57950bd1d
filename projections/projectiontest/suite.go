package projectiontest

import (
	"testing"

	"github.com/atonehq/atone/projections"
)

// Opener opens an empty store for one test and closes it at the test's end. Again opens the same
// data once more, as another process would.
type Opener func(t *testing.T) (store projections.Store, again func() projections.Store)

// Test runs the suite that every store must pass.
func Test(t *testing.T, open Opener) {
	for name, test := range map[string]func(*testing.T, Opener){
		"RowsAndPositionAreOneTransaction":          rowsAndPosition,
		"AnotherPositionIsRefused":                  anotherPosition,
		"RowsAreReplacedDeletedAndFound":            rowsReplaced,
		"RebuildEqualsLive":                         rebuildEqualsLive,
		"BatchesDoNotMatter":                        batchesDoNotMatter,
		"QueriesGoOnDuringARebuild":                 queriesDuringRebuild,
		"ARebuildDuringTheFirstBuildHappens":        earlyRebuild,
		"AQueryIsFreshOrSaysThatItIsNot":            freshOrBehind,
		"AFirstBuildAnswersThoughAnotherIsAskedFor": firstOfTwo,
		"ARebuildTakesNothingBack":                  neverBack,
		"ARebuildFollowsALogPutBackFromACopy":       restoredLog,
		"RowsOfALostPartOfTheLogAreReplaced":        rowsOfALostPart,
		"RowsOfAnotherLogAreReplaced":               rowsOfAnotherLog,
		"RowsAtNoPositionAreReplaced":               rowsAtNoPosition,
		"AnUnfinishedRebuildOfAnotherLogIsDropped":  unfinishedOfAnotherLog,
		"AnImpossibleCheckpointMovesNothing":        impossibleCheckpoint,
		"ALaggingFollowerRebuildsNothing":           laggingFollower,
		"AChangedVersionRebuildsByItself":           changedVersion,
		"AnOlderProcessLeavesANewerViewAlone":       olderProcess,
		"AFailingViewHoldsNobodyBack":               failingView,
		"ASlowViewHoldsNobodyBack":                  slowView,
		"AFailedBatchIsAppliedAgain":                failedBatch,
		"OneProjectsAndAnotherTakesOver":            takeOver,
		"AQueryWaitsForAPosition":                   waitsForPosition,
		"LagIsReported":                             lagReported,
		"EveryFilterAgreesWithItsMeaning":           filtersAgree,
		"LabelsAreNotMistaken":                      labelsAreNotMistaken,
		"AuditAndIncidentFiltersAgree":              auditFiltersAgree,
		"PagesAreStableWhileRowsArrive":             stablePages,
		"SecretsAreNotFoundAndSearchableTextsAre":   searchable,
		"ARunIsStuckAgainAfterItsEnd":               stuckAgain,
		"ARunKnowsWhatIsStuckBelow":                 stuckBelow,
		"IncidentsAreGrouped":                       incidentsAreGrouped,
		"StatsAddUp":                                statsAddUp,
		"AnEventIsKnownByItsRuns":                   eventsLead,
		"EventsAgreeWithTheirMeaning":               eventsAgree,
		"ALongRunIsNotReadForEachOfItsEvents":       eventsOfALongRun,
		"ListsAgreeWithTheirMeaning":                listsAgree,
		"WordsAreFoundByTheirBeginning":             wordsFound,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open)
		})
	}
}
