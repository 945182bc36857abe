// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IConsentRegistry} from "../../src/interfaces/IConsentRegistry.sol";
import {ConsentWorld} from "../consent/ConsentWorld.sol";

/// @notice One subject's controllers, strangers with copied and forged messages, and an enroller who would like
/// control; what should hold is written down beside.
contract ConsentMoves is ConsentWorld {
    struct Expected {
        bytes32 consentId;
        IConsentRegistry.ConsentTerms terms;
        bool granted;
        bool revoked;
    }

    Expected[] private _expected;
    uint256 public controllerKey = CONTROLLER_KEY;
    uint64 public epoch;
    uint64 public events;
    uint256 public wronglyTaken;

    function setUp() public override {
        super.setUp();
        vm.recordLogs();
    }

    /// @dev Scopes from a small set, so that some consents come twice; `signer` is the controller one time in two.
    function grant(bool deny, uint8 scope, uint8 signer, uint64 staleBy) external {
        IConsentRegistry.ConsentTerms memory terms = _terms(deny ? DENY : PERMIT);
        terms.scopeHash = bytes32(uint256(scope % 8));
        terms.notBefore = 1_800_000_000;
        terms.notAfter = deny ? type(uint64).max : 1_800_000_000 + 30 days;
        if (staleBy % 4 == 1 && epoch > 0) terms.epoch = epoch - 1;
        bytes32 consentId = _consentId(terms);
        bool signed = signer % 2 == 0;
        Expected storage known = _known(consentId);
        bool stands = known.granted && (deny || terms.epoch == epoch);
        bool due = !known.revoked && (stands || (signed && terms.epoch == epoch));
        try consents.grant(terms, 0, _sign(signed ? controllerKey : 0x1000 + signer, consentId)) {
            if (!due) ++wronglyTaken;
            (known.granted, known.terms) = (true, terms);
        } catch {
            if (due) ++wronglyTaken;
        }
        _count();
    }

    /// @dev Of a known consent, or of one to come.
    function revoke(uint256 which, bool known_, uint8 signer) external {
        bytes32 consentId = keccak256(abi.encode(which));
        if (known_ && _expected.length != 0) consentId = _expected[which % _expected.length].consentId;
        Expected storage known = _known(consentId);
        bool signed = signer % 2 == 0;
        bool due = known.revoked || signed;
        bytes memory signature = _sign(signed ? controllerKey : 0x1000 + signer, _revocation(consentId));
        try consents.revoke(SUBJECT, consentId, signature) {
            if (!due) ++wronglyTaken;
            known.revoked = true;
        } catch {
            if (due) ++wronglyTaken;
        }
        _count();
    }

    function revokeAll(uint8 signer) external {
        bool signed = signer % 2 == 0;
        bytes memory signature = _sign(signed ? controllerKey : 0x1000 + signer, _revokeAll(epoch));
        try consents.revokeAll(SUBJECT, epoch, signature) {
            if (!signed) ++wronglyTaken;
            // The copy that follows must change nothing.
            consents.revokeAll(SUBJECT, epoch, signature);
            ++epoch;
        } catch {
            if (signed) ++wronglyTaken;
        }
        _count();
    }

    function handOver(uint8 to) external {
        uint256 next = 0x2000 + to;
        if (next == controllerKey) return;
        _handOver(controllerKey, next);
        controllerKey = next;
        ++epoch;
        _count();
    }

    function enrollerTriesToTakeOver(uint8 to, uint8 way) external {
        uint256 next = 0x3000 + to;
        bytes32 digest = _controllerChange(_account(next), _control());
        vm.prank(ENROLLER);
        if (way % 3 == 0) {
            try consents.enrol(SUBJECT, _account(next), 0) {
                ++wronglyTaken;
            } catch {}
        } else if (way % 3 == 1) {
            try consents.endCustody(SUBJECT, _account(next), _sign(next, digest)) {
                ++wronglyTaken;
            } catch {}
        } else {
            try consents.changeController(SUBJECT, _account(next), _sign(next, digest), _sign(next, digest)) {
                ++wronglyTaken;
            } catch {}
        }
        _count();
    }

    function passTime(uint32 time) external {
        vm.warp(block.timestamp + time % 10 days);
    }

    function expected() external view returns (Expected[] memory) {
        return _expected;
    }

    function registry() external view returns (address) {
        return address(consents);
    }

    function controller() external view returns (bytes memory) {
        return _account(controllerKey);
    }

    function controllerNow() external view returns (bytes memory) {
        return consents.controllerOf(SUBJECT);
    }

    function subject() external pure returns (bytes32) {
        return SUBJECT;
    }

    /// @dev After the set-up the two registries emit nothing but what `seq` counts.
    function _count() private {
        events += uint64(vm.getRecordedLogs().length);
    }

    function _known(bytes32 consentId) private returns (Expected storage) {
        for (uint256 i = 0; i < _expected.length; ++i) {
            if (_expected[i].consentId == consentId) return _expected[i];
        }
        Expected storage known = _expected.push();
        known.consentId = consentId;
        return known;
    }
}
