// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IConsentRegistry} from "../../src/interfaces/IConsentRegistry.sol";
import {ISubjects} from "../../src/interfaces/ISubjects.sol";
import {SubjectWorld} from "../subjects/SubjectWorld.sol";

/// @notice One subject whose key a thief has too: whoever controls, delegates, guardians, a registrar and strangers act
/// in any order. What should hold is written down beside, by a model that knows nothing of slots.
contract RecoveryMoves is SubjectWorld {
    struct Granted {
        bytes32 consentId;
        bool deny;
        uint64 epoch;
        uint32 delegate;
        bool revoked;
    }

    struct Delegated {
        uint256 key;
        uint64 notAfter;
        uint64 control;
        bool removed;
    }

    /// @dev Of the recovery that is pending or was last.
    bool public pending;
    bool public objected;
    bool public unstoppable;
    uint256 public nextKey;
    uint64 public readyAt;

    uint256 public controllerKey = CONTROLLER_KEY;
    uint64 public control;
    uint64 public epoch;
    uint64 public events;
    uint64 public attempts;
    /// @dev Objections since a recovery was last finished.
    uint256 public objections;
    bool public linked;
    uint256 public wronglyTaken;
    uint256 public wentBack;

    Granted[] private _granted;
    Delegated[] private _delegated;
    uint64[5] private _last;

    function setUp() public override {
        super.setUp();
        _register(REGISTRAR, REGISTRAR_KEY);
        _register(DOCTOR, DOCTOR_KEY);
        _setGuardians(_commitment(_guardianship()));
        events = 1;
        vm.recordLogs();
    }

    function grant(bool deny, uint8 scope, uint8 signer) external {
        IConsentRegistry.ConsentTerms memory terms = _terms(deny ? DENY : PERMIT);
        terms.scopeHash = keccak256(abi.encode(scope % 4, _granted.length / 4));
        terms.notBefore = 1;
        if (!deny) terms.notAfter = type(uint64).max - 1;
        bytes32 consentId = _consentId(terms);
        (uint32 delegate, uint256 key) = _signer(signer);
        bool signed = delegate == 0 ? key == controllerKey : _holdsNow(delegate);
        bool due = signed && (deny || !pending);
        for (uint256 i = 0; i < _granted.length; ++i) {
            if (_granted[i].consentId == consentId) return;
        }
        bytes memory signature = _sign(key, consentId);
        try consents.grant(terms, delegate, signature) {
            if (!due) ++wronglyTaken;
            _granted.push(Granted(consentId, deny, epoch, delegate, false));
        } catch {
            if (due) ++wronglyTaken;
        }
        _count();
    }

    function revoke(uint256 which, uint8 signer) external {
        if (_granted.length == 0) return;
        Granted storage one = _granted[which % _granted.length];
        (uint32 delegate, uint256 key) = _signer(signer);
        bool byDelegate = delegate != 0 && delegate == one.delegate && _holdsNow(delegate);
        bool due = one.revoked || byDelegate || key == controllerKey;
        bytes memory signature = _sign(key, _revocation(one.consentId));
        try consents.revoke(SUBJECT, one.consentId, signature) {
            if (!due) ++wronglyTaken;
            one.revoked = true;
        } catch {
            if (due) ++wronglyTaken;
        }
        _count();
    }

    function addDelegate(uint8 who, uint8 signer, uint32 time) external {
        if (_delegated.length == 12) return;
        uint256 key = 0x5000 + _delegated.length * 256 + who;
        (, uint256 by) = _signer(signer);
        uint64 notAfter = uint64(block.timestamp + 1 + time % 60 days);
        bool due = by == controllerKey && !pending;
        bytes memory signature = _sign(by, _delegation(_account(key), LIMITS, notAfter));
        try consents.addDelegate(SUBJECT, _account(key), LIMITS, notAfter, signature) {
            if (!due) ++wronglyTaken;
            _delegated.push(Delegated(key, notAfter, control, false));
        } catch {
            if (due) ++wronglyTaken;
        }
        _count();
    }

    function removeDelegate(uint256 which, uint8 signer) external {
        if (_delegated.length == 0) return;
        uint32 number = uint32(which % _delegated.length) + 1;
        Delegated storage one = _delegated[number - 1];
        (uint32 delegate, uint256 key) = _signer(signer);
        bool due = one.removed || one.control != control || key == controllerKey || delegate == number;
        bytes memory signature = _sign(key, _delegationEnd(number));
        try consents.removeDelegate(SUBJECT, number, signature) {
            if (!due) ++wronglyTaken;
            if (one.control == control) one.removed = true;
        } catch {
            if (due) ++wronglyTaken;
        }
        _count();
    }

    function setCredential(bool link, uint8 signer, bool actorSigns) external {
        (, uint256 key) = _signer(signer);
        bytes32 digest = _credential(DOCTOR, link);
        bool byController = key == controllerKey && !pending;
        bool due = link == linked || (link ? byController && actorSigns : byController || actorSigns);
        bytes memory actorSignature = actorSigns ? _sign(DOCTOR_KEY, digest) : bytes("");
        try consents.setCredential(SUBJECT, DOCTOR, link, _sign(key, digest), actorSignature) {
            if (!due) ++wronglyTaken;
            linked = link;
        } catch {
            if (due) ++wronglyTaken;
        }
        _count();
    }

    function handOver(uint8 to, uint8 signer) external {
        uint256 next = 0x2000 + to;
        if (next == controllerKey) return;
        (, uint256 key) = _signer(signer);
        bool due = key == controllerKey && !pending;
        bytes32 digest = _controllerChange(_account(next), control);
        try consents.changeController(SUBJECT, _account(next), _sign(key, digest), _sign(next, digest)) {
            if (!due) ++wronglyTaken;
            _controlPassed(next);
        } catch {
            if (due) ++wronglyTaken;
        }
        _count();
    }

    /// @dev The thief's own guardians, over and over; the set that holds comes back before the delay is over.
    function replaceGuardians(uint256 salt, uint8 signer) external {
        (, uint256 key) = _signer(signer);
        bytes32 guardians = keccak256(abi.encode(salt));
        bool due = key == controllerKey && !pending;
        try consents.setGuardians(SUBJECT, guardians, _sign(key, _guardians(guardians))) {
            if (!due) ++wronglyTaken;
            if (guardiansNow() != _commitment(_guardianship())) ++wronglyTaken;
            _setGuardians(_commitment(_guardianship()), controllerKey);
        } catch {
            if (due) ++wronglyTaken;
        }
        _count();
    }

    function propose(uint8 count, bool attested, uint8 to) external {
        count = count % 4;
        uint256 next = 0x6000 + to;
        if (next == controllerKey) return;
        ISubjects.Proposal memory proposal = _proposal(count, next);
        if (attested) proposal = _attested(proposal);
        bool enough = objected ? count == 3 || (count == 2 && attested) : count >= THRESHOLD;
        bool due = pending ? next == nextKey : enough;
        try consents.proposeRecovery(SUBJECT, proposal) {
            if (!due) ++wronglyTaken;
            if (!pending) {
                (pending, unstoppable, nextKey) = (true, objected, next);
                readyAt = uint64(block.timestamp) + DELAY;
                ++attempts;
            }
        } catch {
            if (due) ++wronglyTaken;
        }
        _count();
    }

    function object(uint8 signer) external {
        (, uint256 key) = _signer(signer);
        bool stops = pending && !unstoppable && block.timestamp < readyAt && key == controllerKey;
        bool due = pending ? stops : objected;
        bytes memory signature = _sign(key, _objection(attempts == 0 ? 0 : attempts - 1));
        try consents.objectToRecovery(SUBJECT, signature) {
            if (!due) ++wronglyTaken;
            if (pending) {
                (pending, objected) = (false, true);
                ++objections;
            }
        } catch {
            if (due) ++wronglyTaken;
        }
        _count();
    }

    function finish(bool wait) external {
        if (wait && pending && block.timestamp < readyAt) vm.warp(readyAt);
        bool was = pending;
        bool due = was ? block.timestamp >= readyAt : attempts != 0 && _finishedLast;
        try consents.finishRecovery(SUBJECT, attempts == 0 ? 0 : attempts - 1) {
            if (!due) ++wronglyTaken;
            if (was) {
                (pending, objected, objections) = (false, false, 0);
                _finishedLast = true;
                _controlPassed(nextKey);
            }
        } catch {
            if (due) ++wronglyTaken;
        }
        _count();
    }

    function passTime(uint32 time) external {
        vm.warp(block.timestamp + time % 3 days);
    }

    function granted() external view returns (Granted[] memory) {
        return _granted;
    }

    function isDue(uint256 which) external view returns (bool) {
        Granted storage one = _granted[which];
        if (one.revoked) return false;
        return one.deny || (one.epoch == epoch && (one.delegate == 0 || _holdsNow(one.delegate)));
    }

    function delegates() external view returns (uint256) {
        return _delegated.length;
    }

    function holds(uint32 number) external view returns (bool) {
        return _holdsNow(number);
    }

    function registry() external view returns (IConsentRegistry) {
        return consents;
    }

    function controllerNow() external view returns (bytes memory) {
        return _account(controllerKey);
    }

    function subject() external pure returns (bytes32) {
        return SUBJECT;
    }

    function credential() external pure returns (bytes32) {
        return DOCTOR;
    }

    function guardiansNow() public view returns (bytes32 guardians) {
        (guardians,,) = consents.guardiansOf(SUBJECT);
    }

    function named() external view returns (bytes32) {
        return _commitment(_guardianship());
    }

    bool private _finishedLast;

    /// @dev The controller one time in two, else a delegate, a guardian or a stranger.
    function _signer(uint8 which) private view returns (uint32 delegate, uint256 key) {
        if (which % 2 == 0) return (0, controllerKey);
        if (which % 3 == 0) return (0, 0x7000 + uint256(which));
        if (which % 5 == 0 || _delegated.length == 0) return (0, guardianKeys[which % 3]);
        delegate = uint32(which % _delegated.length) + 1;
        return (delegate, _delegated[delegate - 1].key);
    }

    function _holdsNow(uint32 number) private view returns (bool) {
        Delegated storage one = _delegated[number - 1];
        return !one.removed && one.control == control && block.timestamp < one.notAfter;
    }

    function _controlPassed(uint256 next) private {
        controllerKey = next;
        linked = false;
        ++control;
        ++epoch;
    }

    /// @dev After the set-up nothing is emitted but what `seq` counts; and nothing that counts goes back.
    function _count() private {
        if (pending) _finishedLast = false;
        events += uint64(vm.getRecordedLogs().length);
        (uint64 epochNow, uint64 seq) = consents.subjectState(SUBJECT);
        (uint64 controlNow, uint64 nonce, uint64 attempt) = consents.controlState(SUBJECT);
        uint64[5] memory found = [epochNow, seq, controlNow, nonce, attempt];
        for (uint256 i = 0; i < 5; ++i) {
            if (found[i] < _last[i]) ++wentBack;
        }
        _last = found;
    }
}
