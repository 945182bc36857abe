// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ConsentRegistry} from "../../src/ConsentRegistry.sol";
import {ScopeReader} from "../../src/ScopeReader.sol";
import {IConsentRegistry} from "../../src/interfaces/IConsentRegistry.sol";
import {IScopeReader} from "../../src/interfaces/IScopeReader.sol";
import {ISubjects} from "../../src/interfaces/ISubjects.sol";
import {ConsentWorld} from "./ConsentWorld.sol";

contract InForceTest is ConsentWorld {
    function test_AnUnknownConsentIsNotInForce(bytes32 subject, bytes32 consentId) external view {
        vm.assertFalse(consents.inForce(subject, consentId));
    }

    function test_IsInForceFromNotBeforeUntilBeforeNotAfter(uint64 now_) external {
        IConsentRegistry.ConsentTerms memory terms = _terms(PERMIT);
        bytes32 consentId = _grant(PERMIT);
        vm.warp(now_);
        vm.assertTrue(consents.inForce(SUBJECT, consentId) == (now_ >= terms.notBefore && now_ < terms.notAfter));
    }

    function test_TheWindowsEdgesAreExact() external {
        IConsentRegistry.ConsentTerms memory terms = _terms(PERMIT);
        bytes32 consentId = _grant(PERMIT);
        vm.assertTrue(consents.inForce(SUBJECT, consentId));
        vm.warp(terms.notAfter - 1);
        vm.assertTrue(consents.inForce(SUBJECT, consentId));
        vm.warp(terms.notAfter);
        vm.assertFalse(consents.inForce(SUBJECT, consentId));
    }

    function test_AHandOverEndsPermitsAndCounts() external {
        bytes32 consentId = _grant(PERMIT);
        _handOver(CONTROLLER_KEY, OTHER_KEY);
        vm.assertFalse(consents.inForce(SUBJECT, consentId));
        _assertState(1, 2);
    }

    function test_AHandOverEndsNoDeny() external {
        bytes32 consentId = _grant(DENY);
        _handOver(CONTROLLER_KEY, OTHER_KEY);
        vm.assertTrue(consents.inForce(SUBJECT, consentId));
    }

    function test_AFormerControllersUnsentGrantIsRefused() external {
        IConsentRegistry.ConsentTerms memory terms = _terms(PERMIT);
        terms.epoch = 1;
        bytes32 consentId = _consentId(terms);
        bytes memory signature = _sign(CONTROLLER_KEY, consentId);
        _handOver(CONTROLLER_KEY, OTHER_KEY);
        vm.expectRevert(abi.encodeWithSelector(ISubjects.NotSignedByController.selector, SUBJECT, consentId));
        consents.grant(terms, 0, signature);
    }
}

contract SubjectStatesTest is ConsentWorld {
    function test_AnswersInOrder() external {
        _grant(PERMIT);
        _revokeAllNow();
        bytes32[] memory subjects = new bytes32[](3);
        subjects[1] = SUBJECT;
        (uint64[] memory epochs, uint64[] memory seqs) = consents.subjectStates(subjects);
        vm.assertTrue(epochs[0] == 0 && epochs[1] == 1 && epochs[2] == 0);
        vm.assertTrue(seqs[0] == 0 && seqs[1] == 2 && seqs[2] == 0);
    }

    function test_AnswersFor256Subjects() external view {
        (uint64[] memory epochs,) = consents.subjectStates(new bytes32[](256));
        vm.assertEq(epochs.length, 256);
    }

    function test_RefusesMoreThan256Subjects() external {
        vm.expectRevert(abi.encodeWithSelector(ISubjects.TooManySubjects.selector, 257));
        consents.subjectStates(new bytes32[](257));
    }

    function test_ARegistryTakesNoZeroTypeHash() external {
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.InvalidConsentTypes.selector));
        new ConsentRegistry(identity, new bytes32[](1), DELAY);
    }

    function test_ARegistryTakesAtLeastOneTypeHash() external {
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.InvalidConsentTypes.selector));
        new ConsentRegistry(identity, new bytes32[](0), DELAY);
    }
}

contract CoversTest is ConsentWorld {
    IConsentRegistry.ConsentTerms private _granted;

    function setUp() public override {
        super.setUp();
        _register(DOCTOR, DOCTOR_KEY);
        _register(ORG, ORG_KEY);
    }

    /// @dev The expected hashes are eth-account's.
    function test_HashesAScopeAsWalletsDo() external view {
        IScopeReader.Scope memory scope;
        vm.assertEq(
            reader.scopeHashOf(scope), bytes32(0xa53f0c071fa469da8db333b82ef9a2cd40ab67a907cdcc5f700100728c086552)
        );
        scope = IScopeReader.Scope({
            grantee: bytes32(type(uint256).max / 15),
            actions: _two("READ", "WRITE"),
            purposes: _one("TREAT"),
            resourceTypes: _two("Observation", "Condition"),
            codes: _one("http://loinc.org|4548-4"),
            labels: new string[](0),
            authors: new bytes32[](1),
            records: new bytes16[](2),
            dataFrom: "2024-01-01",
            dataTo: "",
            dataUse: _one("GRU"),
            context: "study-7/v2",
            termsHash: bytes32(type(uint256).max / 3),
            salt: bytes32(type(uint256).max / 15 * 6),
            statement: unicode"Ärztin darf lesen."
        });
        scope.authors[0] = bytes32(type(uint256).max / 15 * 2);
        (scope.records[0], scope.records[1]) = (bytes16(type(uint128).max / 5), bytes16(type(uint128).max / 15 * 4));
        vm.assertEq(
            reader.scopeHashOf(scope), bytes32(0xeab0963f03f7385667d9d1f9c1b1f109b75c8fe9c09f3cff4540e8d7118605d8)
        );
    }

    function test_CoversTheNamedGrantee() external {
        vm.assertTrue(_covers(_scope(DOCTOR), _request()));
    }

    function test_CoversAnyoneWhereNobodyIsNamed() external {
        vm.assertTrue(_covers(_scope(0), _request()));
    }

    function test_CoversNobodyElse() external {
        vm.assertFalse(_covers(_scope(keccak256("someone")), _request()));
    }

    function test_CoversAMemberOfTheNamedOrganizationWhileItIsOne() external {
        bytes32 typeHash = keccak256("Membership(bytes32 org,bytes32 member,uint8 role,uint64 notAfter,uint64 seq)");
        uint64 notAfter = uint64(block.timestamp + 1 days);
        bytes32 digest = _digest(address(identity), keccak256(abi.encode(typeHash, ORG, DOCTOR, 1, notAfter, 1)));
        identity.setMembership(ORG, DOCTOR, 1, notAfter, 1, _sign(ORG_KEY, digest));
        vm.assertTrue(_covers(_scope(ORG), _request()));
        vm.warp(notAfter);
        vm.assertFalse(reader.covers(_granted, _scope(ORG), _request()));
    }

    function test_CoversNoRemovedGrantee() external {
        vm.prank(ENROLLER);
        identity.removeActor(DOCTOR);
        vm.assertFalse(_covers(_scope(DOCTOR), _request()));
    }

    function test_CoversNoUnknownGranteeWhereAnyoneMay() external {
        IScopeReader.Request memory request = _request();
        request.grantee = keccak256("nobody");
        vm.assertFalse(_covers(_scope(0), request));
    }

    function test_CoversNoOtherAction() external {
        IScopeReader.Request memory request = _request();
        request.action = "WRITE";
        vm.assertFalse(_covers(_scope(DOCTOR), request));
    }

    function test_CoversNoOtherPurpose() external {
        IScopeReader.Request memory request = _request();
        request.purpose = "HRESCH";
        vm.assertFalse(_covers(_scope(DOCTOR), request));
    }

    function test_CoversNoOtherResourceType() external {
        IScopeReader.Request memory request = _request();
        request.resourceType = "Condition";
        vm.assertFalse(_covers(_scope(DOCTOR), request));
    }

    function test_CoversEveryResourceTypeWhereNoneIsNamed() external {
        IScopeReader.Scope memory scope = _scope(DOCTOR);
        scope.resourceTypes = new string[](0);
        vm.assertTrue(_covers(scope, _request()));
    }

    function test_EmptyActionsCoverNothing() external {
        IScopeReader.Scope memory scope = _scope(DOCTOR);
        scope.actions = new string[](0);
        vm.assertFalse(_covers(scope, _request()));
    }

    function test_EmptyPurposesCoverNothing() external {
        IScopeReader.Scope memory scope = _scope(DOCTOR);
        scope.purposes = new string[](0);
        vm.assertFalse(_covers(scope, _request()));
    }

    function test_ADenyCoversNothing() external {
        _granted = _terms(DENY);
        _granted.scopeHash = reader.scopeHashOf(_scope(DOCTOR));
        consents.grant(_granted, 0, _sign(CONTROLLER_KEY, _consentId(_granted)));
        vm.assertFalse(reader.covers(_granted, _scope(DOCTOR), _request()));
    }

    function test_AnotherScopeCoversNothing() external {
        _covers(_scope(DOCTOR), _request());
        IScopeReader.Scope memory wider = _scope(DOCTOR);
        wider.resourceTypes = new string[](0);
        vm.assertFalse(reader.covers(_granted, wider, _request()));
    }

    function test_UngrantedTermsCoverNothing() external view {
        IConsentRegistry.ConsentTerms memory terms = _terms(PERMIT);
        terms.scopeHash = reader.scopeHashOf(_scope(DOCTOR));
        vm.assertFalse(reader.covers(terms, _scope(DOCTOR), _request()));
    }

    function test_ARevokedConsentCoversNothing() external {
        _covers(_scope(DOCTOR), _request());
        _revoke(_consentId(_granted));
        vm.assertFalse(reader.covers(_granted, _scope(DOCTOR), _request()));
    }

    function test_AnotherVersionOfScopeCoversNothing() external {
        bytes32[] memory types = new bytes32[](2);
        (types[0], types[1]) = (keccak256(bytes(CONSENT_TYPE)), keccak256("Consent of scope version 2"));
        consents = new ConsentRegistry(identity, types, DELAY);
        reader = new ScopeReader(consents);
        _enrol();
        _granted = _terms(PERMIT);
        _granted.typeHash = types[1];
        _granted.scopeHash = reader.scopeHashOf(_scope(DOCTOR));
        vm.prank(vm.addr(CONTROLLER_KEY));
        bytes32 consentId = consents.grant(_granted, 0, "");
        vm.assertTrue(consents.inForce(SUBJECT, consentId));
        vm.assertFalse(reader.covers(_granted, _scope(DOCTOR), _request()));
    }

    function test_AListOfMoreThan256ItemsCoversNothing() external {
        IScopeReader.Scope memory scope = _scope(DOCTOR);
        scope.codes = new string[](257);
        vm.assertFalse(_covers(scope, _request()));
    }

    /// @dev Grants the scope, then asks.
    function _covers(IScopeReader.Scope memory scope, IScopeReader.Request memory request) private returns (bool) {
        _granted = _terms(PERMIT);
        _granted.scopeHash = reader.scopeHashOf(scope);
        consents.grant(_granted, 0, _sign(CONTROLLER_KEY, _consentId(_granted)));
        return reader.covers(_granted, scope, request);
    }

    function _scope(bytes32 grantee) private pure returns (IScopeReader.Scope memory scope) {
        scope.grantee = grantee;
        scope.actions = _one("READ");
        scope.purposes = _two("TREAT", "ETREAT");
        scope.resourceTypes = _one("Observation");
    }

    function _request() private pure returns (IScopeReader.Request memory) {
        return IScopeReader.Request({grantee: DOCTOR, action: "READ", purpose: "ETREAT", resourceType: "Observation"});
    }

    function _one(string memory item) private pure returns (string[] memory list) {
        list = new string[](1);
        list[0] = item;
    }

    function _two(string memory first, string memory second) private pure returns (string[] memory list) {
        list = new string[](2);
        (list[0], list[1]) = (first, second);
    }
}
