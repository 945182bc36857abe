// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @notice What forge asks an invariant suite: the one contract to call, and by which functions.
abstract contract Campaign {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = _target();
    }

    function targetSelectors() external view returns (FuzzSelector[] memory selectors) {
        selectors = new FuzzSelector[](1);
        selectors[0] = FuzzSelector({addr: _target(), selectors: _moves()});
    }

    function _target() internal view virtual returns (address);

    function _moves() internal pure virtual returns (bytes4[] memory);
}
