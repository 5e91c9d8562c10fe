"""AS13: verification and certificates."""

from __future__ import annotations

from agentc.lang.catalog_entry import ERROR as _E
from agentc.lang.catalog_entry import NOTE as _N
from agentc.lang.catalog_entry import WARNING as _W
from agentc.lang.catalog_entry import Entry

ROWS: tuple[Entry, ...] = (
    Entry("AS1301", "verify-falsified", _E, "`{item}` is falsified by {method}: {sentence}"),
    Entry("AS1302", "verify-vacuous", _E, "`{item}` is vacuous, says {method}: {sentence}"),
    Entry("AS1303", "verify-unknown", _W, "`{item}` is unknown to {method}: {sentence}"),
    Entry("AS1304", "verify-proved", _N, "`{item}` is {word} by {method}: {sentence}"),
    Entry("AS1305", "nothing-to-verify", _W, "{files} has no `verify` item", "write `verify f` in an agent"),
    Entry("AS1310", "unsupported-operator", _E, "the network {path} has the operator `{operator}`, which is not read",
          "these are read: {supported}"),
    Entry("AS1311", "unreadable-network", _E, "the network {path} cannot be read: {reason}"),
    Entry("AS1312", "weights-not-finite", _E, "the network {path} has the weight {value} in `{tensor}`"),
    Entry("AS1313", "external-weights", _E, "the network {path} keeps `{tensor}` in {place!r}, outside of its folder",
          "put the file beside the network: weights are read from its folder and no other place"),
    Entry("AS1314", "unfit-network", _E, "the network {path} is no chain of layers at `{where}`: {reason}"),
    Entry("AS1315", "malformed-property", _E, "the property {path} cannot be read: {reason}"),
    Entry("AS1316", "unfit-property", _E, "the network {path} has {network}, the {other} has {wanted}"),
    Entry("AS1317", "unknown-controller", _E, "there is no controller `{name}`", "{known}"),
    Entry("AS1340", "no-shielding-method", _E, "`{name}` makes no shields", "these do: {known}"),
    Entry("AS1341", "shield-forbids", _E, "the shield of {formulas} does not allow `{action}` here",
          "it allows {allowed}; `info[\"action_mask\"]` says so beforehand"),
    Entry("AS1342", "state-outside-shield", _E, "the shield of {formulas} knows {states} states; this is none of them",
          "it was made for the states that can be reached from the declared starts"),
    Entry("AS1343", "unreadable-shield", _E, "the shield {path} cannot be read: {reason}"),
    Entry("AS1344", "no-shield", _E, "there is no shield for `{agent}`: {why}"),
    Entry("AS1345", "cannot-keep-safe", _E, "no shield can keep {formulas} from every start (threshold {threshold})",
          "`agentc verify` shows how it fails; a lower `threshold` keeps what can be kept"),
    Entry("AS1346", "shield-of-another", _E, "the shield {path} was made for another meaning of `{agent}`",
          "train it anew"),
    Entry("AS1347", "no-finite-model", _E, "`{agent}` cannot be explored as a finite model: {why}"),
    Entry("AS1348", "policy-of-another", _E, "the policy in {folder} was trained for another meaning of `{agent}`",
          "train it anew"),
    Entry("AS1320", "unreadable-certificate", _E, "the certificate {path} cannot be read: {reason}"),
    Entry("AS1321", "rejected-certificate", _E, "the certificate {path} is rejected: {reason}"),
    Entry("AS1350", "data-not-rich", _E, "the recordings {path} do not determine a model: {reason}",
          "record more, with inputs that vary more, or name fewer features"),
    Entry("AS1351", "unfit-recordings", _E, "the recordings {path} do not fit: {reason}"),
    Entry("AS1352", "noise-contradicted", _E, "no model explains the recordings {path} with a noise of at most {noise}",
          "raise `noise`, or name the features that the model lacks"),
    Entry("AS1353", "malformed-features", _E, "`{text}` cannot be read: {reason}"),
    Entry("AS1354", "unfit-plan", _E, "the plan {path} does not fit: {reason}"),
    Entry("AS1355", "no-lipschitz-constant", _E, "a `lipschitz` model needs its constant",
          "say `lipschitz = 2`, say: a bound of how fast a next state changes with states and inputs"),
    Entry("AS1356", "no-invariant", _E, "the filter keeps propositions over states, and this has `{operator}`"),
)
